//! A network: made, made again, drifted and healed, changed, lost, taken away.

use super::account::Account;

const NETWORK: &str = "\
standfast: 1
name: shop
regions:
  refuge:
    provider: aws
    location: eu-west-1
    zones: 3
    account: \"123456789012\"
    tags: { team: web }
networks:
  main: { cidr: 10.20.0.0/16 }
";

#[test]
fn a_network_is_made_once_and_leaves_an_empty_account() {
    let account = Account::applied(NETWORK);
    let census = account.census();
    let count = |kind: &str| census.get(kind).map_or(0, Vec::len);
    let counts =
        ["vpc", "subnet", "internet_gateway", "elastic_ip", "nat_gateway", "route_table", "vpc_endpoint"]
            .map(|kind| (kind, count(kind)));
    assert_eq!(
        counts,
        [
            ("vpc", 1),
            ("subnet", 9),
            ("internet_gateway", 1),
            ("elastic_ip", 3),
            ("nat_gateway", 3),
            ("route_table", 5),
            ("vpc_endpoint", 1)
        ]
    );
    account.run("status").code(0).prints("Nothing to ask: none of the ");
    for thing in census.values().flatten() {
        assert_eq!(thing["tags"]["team"], "web", "{thing}");
        assert_eq!(thing["tags"]["standfast:stack"], "shop", "{thing}");
    }
    account.assert_settled();
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

#[test]
fn what_was_changed_by_hand_is_put_back() {
    let account = Account::applied(NETWORK);
    account.python(
        "table = ec2.describe_route_tables(Filters=[{'Name': 'tag:standfast:address', 'Values': ['*route_table.public']}])\n\
         table = table['RouteTables'][0]\n\
         ec2.delete_route(RouteTableId=table['RouteTableId'], DestinationCidrBlock='0.0.0.0/0')\n\
         used = [a for a in table['Associations'] if a.get('SubnetId')][0]\n\
         ec2.disassociate_route_table(AssociationId=used['RouteTableAssociationId'])\n\
         ec2.create_tags(Resources=[table['RouteTableId']], Tags=[{'Key': 'team', 'Value': 'db'}, {'Key': 'cost', 'Value': '7'}])\n\
         subnet = ec2.describe_subnets(Filters=[{'Name': 'cidr-block', 'Values': ['10.20.192.0/22']}])['Subnets'][0]['SubnetId']\n\
         ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={'Value': True})\n\
         vpc = ec2.describe_vpcs(Filters=[{'Name': 'cidr', 'Values': ['10.20.0.0/16']}])['Vpcs'][0]['VpcId']\n\
         ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={'Value': False})\n\
         nat = ec2.describe_nat_gateways(Filters=[{'Name': 'tag:standfast:address', 'Values': ['*.eu-west-1b']}])\n\
         nat = [n for n in nat['NatGateways'] if any(t['Value'].endswith('nat_gateway.eu-west-1b') for t in n['Tags'])][0]\n\
         ec2.delete_nat_gateway(NatGatewayId=nat['NatGatewayId'])\n\
         # AWS lets go of the address with the gateway, moto does not.\n\
         held = ec2.describe_addresses(AllocationIds=[nat['NatGatewayAddresses'][0]['AllocationId']])['Addresses'][0]\n\
         ec2.disassociate_address(AssociationId=held['AssociationId'])",
    );
    let steps = account.plan("").steps();
    assert_eq!(
        steps,
        [
            "create refuge/networks.main/nat_gateway.eu-west-1b (drift: it is gone)",
            "update refuge/networks.main/route_table.private.eu-west-1b (follows a change of what it uses: routes)",
            "update refuge/networks.main/route_table.public (drift: routes, subnets, tags)",
            "update refuge/networks.main/subnet.public.eu-west-1a (drift: public_addresses)",
            "update refuge/networks.main/vpc.main (drift: dns_hostnames)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    // What somebody else tagged stays.
    let census = account.census();
    assert!(census["route_table"].iter().any(|table| table["tags"]["cost"] == "7"));
}

#[test]
fn a_lost_state_is_found_again_by_tags() {
    let account = Account::applied(NETWORK);
    std::fs::remove_dir_all(account.sandbox.path(".standfast")).unwrap();
    account.run("state rebuild").code(0);
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

#[test]
fn fewer_nat_gateways_move_routes_and_leave_nothing_behind() {
    let account = Account::applied(NETWORK);
    for (nat, count) in [("single", 1), ("none", 0), ("per_zone", 3)] {
        let now = format!("cidr: 10.20.0.0/16, nat: {nat} }}");
        account.sandbox.write("standfast.yaml", &NETWORK.replace("cidr: 10.20.0.0/16 }", &now));
        account.run("apply --auto-approve").code(0);
        account.assert_settled();
        assert_eq!(account.census().get("nat_gateway").map_or(0, Vec::len), count, "{nat}");
    }
}

#[test]
fn another_account_is_refused_before_anything() {
    let account = Account::new(&NETWORK.replace("123456789012", "210987654321"));
    let ran = account.run("apply --auto-approve");
    assert_ne!(ran.code, Some(0));
    ran.says("the credentials are of account 123456789012");
    assert_eq!(account.census(), Default::default());
}

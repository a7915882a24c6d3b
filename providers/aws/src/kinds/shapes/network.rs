//! EC2. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>

use super::{Service, Shape};
use crate::recorded::Answer;

static EC2: Service = Service {
    name: "ec2",
    throttled: (503, "RequestLimitExceeded", "Request limit exceeded."),
    denied: (403, "UnauthorizedOperation"),
    tag: |key, value| format!("<item><key>{key}</key><value>{value}</value></item>"),
    between: "",
};

pub(super) fn shapes() -> Vec<Shape> {
    vec![
        ec2("vpc", ["CreateVpc", "vpc", "DescribeVpcs", "vpcSet", "DeleteVpc"], "InvalidVpcID.NotFound")
            .of("<vpcId>vpc-1</vpcId><state>{state}</state><ownerId>123456789012</ownerId>")
            .told("DescribeVpcAttribute", "<DescribeVpcAttributeResponse><vpcId>vpc-1</vpcId></DescribeVpcAttributeResponse>"),
        ec2(
            "subnet",
            ["CreateSubnet", "subnet", "DescribeSubnets", "subnetSet", "DeleteSubnet"],
            "InvalidSubnetID.NotFound",
        )
        .of("<subnetId>subnet-1</subnetId><state>{state}</state>"),
        ec2(
            "internet_gateway",
            [
                "CreateInternetGateway",
                "internetGateway",
                "DescribeInternetGateways",
                "internetGatewaySet",
                "DeleteInternetGateway",
            ],
            "InvalidInternetGatewayID.NotFound",
        )
        .of("<internetGatewayId>igw-1</internetGatewayId>"),
        ec2(
            "elastic_ip",
            ["AllocateAddress", "", "DescribeAddresses", "addressesSet", "ReleaseAddress"],
            "InvalidAllocationID.NotFound",
        )
        .of("<publicIp>203.0.113.7</publicIp><allocationId>eipalloc-1</allocationId>")
        .in_use("InvalidIPAddress.InUse"),
        ec2(
            "nat_gateway",
            ["CreateNatGateway", "natGateway", "DescribeNatGateways", "natGatewaySet", "DeleteNatGateway"],
            "NatGatewayNotFound",
        )
        .of("<natGatewayId>nat-1</natGatewayId><state>{state}</state>\
             <failureMessage>Elastic IP address eipalloc-1 is already associated</failureMessage>"),
        ec2(
            "route_table",
            ["CreateRouteTable", "routeTable", "DescribeRouteTables", "routeTableSet", "DeleteRouteTable"],
            "InvalidRouteTableID.NotFound",
        )
        .of("<routeTableId>rtb-1</routeTableId>"),
        endpoint(),
        ec2(
            "security_group",
            ["CreateSecurityGroup", "", "DescribeSecurityGroups", "securityGroupInfo", "DeleteSecurityGroup"],
            "InvalidGroup.NotFound",
        )
        .of("<groupId>sg-1</groupId>"),
        ec2(
            "launch_template",
            [
                "CreateLaunchTemplate",
                "launchTemplate",
                "DescribeLaunchTemplates",
                "launchTemplates",
                "DeleteLaunchTemplate",
            ],
            "InvalidLaunchTemplateId.NotFound",
        )
        .of("<launchTemplateId>lt-1</launchTemplateId><latestVersionNumber>{version}</latestVersionNumber>")
        .told(
            "CreateLaunchTemplateVersion",
            "<CreateLaunchTemplateVersionResponse><launchTemplateVersion><launchTemplateId>lt-1</launchTemplateId>\
             <versionNumber>2</versionNumber></launchTemplateVersion></CreateLaunchTemplateVersionResponse>",
        ),
    ]
}

/// A delete of endpoints succeeds even where it did nothing.
fn endpoint() -> Shape {
    let not_deleted = |code: &str| {
        Answer::ok(format!(
            "<DeleteVpcEndpointsResponse><unsuccessful><item><resourceId>vpce-1</resourceId><error><code>{code}</code>\
             <message>because</message></error></item></unsuccessful></DeleteVpcEndpointsResponse>"
        ))
    };
    let shape = ec2(
        "vpc_endpoint",
        ["CreateVpcEndpoint", "vpcEndpoint", "DescribeVpcEndpoints", "vpcEndpointSet", "DeleteVpcEndpoints"],
        "InvalidVpcEndpointId.NotFound",
    );
    Shape {
        in_use: Some(not_deleted("DependencyViolation")),
        gone: not_deleted("InvalidVpcEndpoint.NotFound"),
        ..shape.of("<vpcEndpointId>vpce-1</vpcEndpointId><state>{state}</state>")
    }
}

/// `calls`: create and its element, describe and its set, delete.
fn ec2(kind: &'static str, calls: [&'static str; 5], gone: &'static str) -> Shape {
    let [create, element, describe, set, delete] = calls;
    let (open, close) = match element {
        "" => (String::new(), String::new()),
        element => (format!("<{element}>"), format!("</{element}>")),
    };
    Shape {
        made: format!("<{create}Response>{open}{{it}}{close}</{create}Response>"),
        listed: vec![(
            describe,
            format!(
                "<{describe}Response><{set}><item>{{it}}<tagSet>{{tags}}</tagSet></item></{set}></{describe}Response>"
            ),
        )],
        ..Shape::new(kind, &EC2, create, delete, (400, gone))
    }
    .in_use("DependencyViolation")
}

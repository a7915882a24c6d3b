//! Monitoring: topics, subscriptions, alarms and a dashboard. moto confirms every subscription at once; what is pending is
//! shown beside the kind.

use std::{fs, path::PathBuf};

use super::account::{Account, PASSWORD};

const SHOP: &str = "\
standfast: 1
name: shop
secrets: { pager: { env: SHOP_PASSWORD } }
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 2, tags: { team: web } }
networks:
  main: { cidr: 10.20.0.0/16, nat: none }
load_balancers:
  front: { listeners: [{ port: 80, to: web }] }
autoscaling_groups:
  web:
    capacity: { min: 2, max: 4 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { package: nginx }
    port: 80
    health_check: { path: / }
session_stores:
  sessions: { engine: redis, version: \"7.1\", instance_type: cache.t4g.small, replicas: 1, password: \"${secrets.pager}\" }
monitoring:
  notify:
    page: { webhook: \"https://pager.example.net/${secrets.pager}\" }
    mail: { email: ops@example.net }
  alarms:
    busy: { of: autoscaling_groups.web, metric: cpu, above: 80%, for: 15m, notify: [page] }
";

/// As [`SHOP`], without what moto deletes not for good.
fn shop() -> String {
    let lines = SHOP.lines().filter(|line| !line.contains("session"));
    lines.map(|line| format!("{line}\n")).collect()
}

const ALARMS: &str = "\
alarms = {a['AlarmDescription'].split(' for ')[0]: a for a in cloudwatch.describe_alarms()['MetricAlarms']}\n";

#[test]
fn a_monitoring_is_made_once_and_leaves_an_empty_account() {
    let account = Account::applied(&shop());
    let census = account.census();
    let counts = ["topic", "subscription", "alarm", "dashboard"].map(|kind| census[kind].len());
    assert_eq!(counts, [2, 2, 5, 1]);
    let tagged = census["topic"].iter().chain(&census["alarm"]);
    assert!(tagged.clone().all(|thing| thing["tags"]["team"] == "web"), "{tagged:?}");
    account.assert_settled();
    let made = account.python(&format!(
        "{ALARMS}for name in sorted(alarms): print(name, len(alarms[name]['AlarmActions']), len(alarms[name]['OKActions']))"
    ));
    assert_eq!(
        made.lines().collect::<Vec<_>>(),
        [
            "autoscaling_groups.web cpu above 80% 1 1",
            "autoscaling_groups.web healthy_members below 2 2 2",
            "load_balancers.front (web) healthy_members below 1 2 2",
            "load_balancers.front errors above 5% 2 2",
            "load_balancers.front latency above 2s 2 2",
        ]
    );
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

const ORDERS: &str = "\
databases:
  orders:
    engine: postgres
    version: 15
    instance_type: db.t4g.medium
    storage: 20GiB
    replicas: 2
    password: ${secrets.pager}
";

#[test]
fn every_server_that_keeps_data_is_watched() {
    let account = Account::applied(&format!("{SHOP}{ORDERS}"));
    account.assert_settled();
    let of_each = account.python(&format!(
        "{ALARMS}servers = sorted(i['DBInstanceIdentifier'] for i in rds.describe_db_instances()['DBInstances'])\n\
         for metric in ('CPUUtilization', 'FreeStorageSpace', 'DatabaseConnections', 'ReplicaLag'):\n\
        \x20   of = [q['MetricStat']['Metric'] for a in alarms.values() for q in a['Metrics'] if 'MetricStat' in q]\n\
        \x20   of = [d['Value'] for m in of if m['MetricName'] == metric and m['Namespace'] == 'AWS/RDS' for d in m['Dimensions']]\n\
        \x20   print(metric, len(of), sorted(of) == servers)"
    ));
    assert_eq!(
        of_each.lines().collect::<Vec<_>>(),
        [
            "CPUUtilization 2 True",
            "FreeStorageSpace 2 True",
            "DatabaseConnections 2 True",
            "ReplicaLag 1 False"
        ]
    );
    let watched = account.python(&format!(
        "{ALARMS}cpu = alarms['session_stores.sessions cpu above 90%']['Metrics']\n\
         print(len([q for q in cpu if 'MetricStat' in q]), [q['Expression'] for q in cpu if 'Expression' in q])"
    ));
    assert_eq!(watched, "2 ['MAX([value1, value2])']");
}

#[test]
fn what_was_changed_by_hand_is_put_back() {
    let account = Account::applied(&shop());
    account.python(&format!(
        "{ALARMS}def put(alarm, **changed):\n\
        \x20   keys = ('AlarmName', 'AlarmDescription', 'ActionsEnabled', 'OKActions', 'AlarmActions', 'EvaluationPeriods', 'Threshold',\n\
        \x20           'ComparisonOperator', 'TreatMissingData', 'Metrics')\n\
        \x20   cloudwatch.put_metric_alarm(**{{**{{k: alarm[k] for k in keys}}, **changed}})\n\
         put(alarms['load_balancers.front latency above 2s'], Threshold=9.0)\n\
         put(alarms['load_balancers.front errors above 5%'], ActionsEnabled=False)\n\
         cloudwatch.delete_alarms(AlarmNames=[alarms['autoscaling_groups.web cpu above 80%']['AlarmName']])\n\
         name = cloudwatch.list_dashboards()['DashboardEntries'][0]['DashboardName']\n\
         cloudwatch.put_dashboard(DashboardName=name, DashboardBody='{{\"widgets\": []}}')\n\
         mail = [s for s in sns.list_subscriptions()['Subscriptions'] if s['Protocol'] == 'email'][0]\n\
         sns.unsubscribe(SubscriptionArn=mail['SubscriptionArn'])"
    ));
    assert_eq!(
        account.plan("").steps(),
        [
            "create refuge/monitoring.main/alarm.busy (drift: it is gone)",
            "create refuge/monitoring.main/subscription.mail (drift: it is gone)",
            "update refuge/monitoring.main/alarm.load_balancers.front.errors (drift: topics)",
            "update refuge/monitoring.main/alarm.load_balancers.front.latency (drift: threshold)",
            "update refuge/monitoring.main/dashboard.main (follows a change of what it uses: widgets)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

#[test]
fn changes_are_planned_as_they_are() {
    let account = Account::applied(&shop());
    let changes: [(&str, &str, &[&str]); 4] = [
        (
            "above: 80%",
            "above: 85%",
            &["update refuge/monitoring.main/alarm.busy (changed: description, threshold)"],
        ),
        (
            "notify: [page]",
            "notify: [page, mail]",
            &["update refuge/monitoring.main/alarm.busy (changed: topics)"],
        ),
        (
            "ops@example.net",
            "night@example.net",
            &["replace refuge/monitoring.main/subscription.mail (email cannot be changed in place)"],
        ),
        (
            "  alarms:\n",
            "  default_alarms: false\n  alarms:\n",
            &[
                "delete refuge/monitoring.main/alarm.autoscaling_groups.web.healthy_members (no longer in the blueprint)",
                "delete refuge/monitoring.main/alarm.load_balancers.front.errors (no longer in the blueprint)",
                "delete refuge/monitoring.main/alarm.load_balancers.front.healthy_members.web (no longer in the blueprint)",
                "delete refuge/monitoring.main/alarm.load_balancers.front.latency (no longer in the blueprint)",
                "update refuge/monitoring.main/dashboard.main (changed: widgets)",
            ],
        ),
    ];
    for (from, to, steps) in changes {
        account.sandbox.edit(from, to);
        assert_eq!(account.plan("").steps(), steps, "{from} -> {to}");
        account.run("apply --auto-approve").code(0);
        account.assert_settled();
    }
}

#[test]
fn an_address_that_is_secret_is_in_no_file() {
    let account = Account::applied(&shop());
    let made = account.python(&format!(
        "{ALARMS}print([s['Endpoint'] for s in sns.list_subscriptions()['Subscriptions']])"
    ));
    assert!(made.contains(PASSWORD), "{made}");
    assert_eq!(account.sandbox.files_with(PASSWORD), Vec::<PathBuf>::new());
}

#[test]
fn status_tells_what_rings_and_who_is_told() {
    let account = Account::applied(&shop());
    let quiet = account.run("status");
    quiet.prints("none of 5 alarms rings");
    account.python(&format!(
        "{ALARMS}name = alarms['load_balancers.front latency above 2s']['AlarmName']\n\
         cloudwatch.set_alarm_state(AlarmName=name, StateValue='ALARM', StateReason='slow')"
    ));
    let ringing = account.run("status");
    ringing.prints("1 of 5 alarms ring: load_balancers.front latency above 2s for 10m");
}

#[test]
fn a_lost_state_is_found_again_by_tags() {
    let account = Account::applied(&shop());
    fs::remove_dir_all(account.sandbox.path(".standfast")).unwrap();
    account.run("state rebuild").code(0);
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

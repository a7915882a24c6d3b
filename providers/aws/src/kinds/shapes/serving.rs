//! Elastic Load Balancing, Auto Scaling and IAM by the query protocol; ACM and Systems Manager in JSON.

use super::{Service, Shape};
use crate::recorded::Answer;

static ELB: Service = Service {
    name: "elasticloadbalancing",
    throttled: (400, "Throttling", "Rate exceeded"),
    denied: (403, "AccessDenied"),
    tag: |key, value| format!("<member><Key>{key}</Key><Value>{value}</Value></member>"),
    between: "",
};
static AUTOSCALING: Service = Service { name: "autoscaling", ..ELB };
static IAM: Service = Service { name: "iam", ..ELB };
static ACM: Service = Service {
    name: "acm",
    throttled: (400, "ThrottlingException", "Rate exceeded"),
    denied: (400, "AccessDeniedException"),
    tag: |key, value| format!("{{\"Key\":\"{key}\",\"Value\":\"{value}\"}}"),
    between: ",",
};
static SSM: Service = Service { name: "ssm", ..ACM };

const ELB_ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012";
const CERTIFICATE: &str =
    "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012";

pub(super) fn shapes() -> Vec<Shape> {
    let balancer = format!("{ELB_ARN}:loadbalancer/app/shop-front/50dc6c495c0c9188");
    vec![
        elb("load_balancer", "CreateLoadBalancer", "DeleteLoadBalancer", "LoadBalancerNotFound", &balancer)
            .members("LoadBalancers", "DescribeLoadBalancers")
            .of(format!("<LoadBalancerArn>{balancer}</LoadBalancerArn><State><Code>{{state}}</Code><Reason>because</Reason></State>")),
        elb(
            "target_group",
            "CreateTargetGroup",
            "DeleteTargetGroup",
            "TargetGroupNotFound",
            &format!("{ELB_ARN}:targetgroup/shop-web/73e2d6bc24d8a067"),
        )
        .members("TargetGroups", "DescribeTargetGroups")
        .of(format!("<TargetGroupArn>{ELB_ARN}:targetgroup/shop-web/73e2d6bc24d8a067</TargetGroupArn>")),
        elb(
            "listener",
            "CreateListener",
            "DeleteListener",
            "ListenerNotFound",
            &format!("{ELB_ARN}:listener/app/shop-front/50dc6c495c0c9188/f2f7dc8efc522ab2"),
        )
        .members("Listeners", "DescribeListeners")
        .of(format!("<ListenerArn>{ELB_ARN}:listener/app/shop-front/50dc6c495c0c9188/f2f7dc8efc522ab2</ListenerArn>"))
        .told(
            "DescribeLoadBalancers",
            format!(
                "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers><member>\
                 <LoadBalancerArn>{balancer}</LoadBalancerArn></member></LoadBalancers></DescribeLoadBalancersResult>\
                 </DescribeLoadBalancersResponse>"
            ),
        ),
        group(),
        Shape::new("instance_profile", &IAM, "CreateRole", "DeleteRole", (404, "NoSuchEntity"))
            .listed_as("Role", "GetAccountAuthorizationDetails", "RoleDetailList", "member")
            .of("<RoleName>{name}</RoleName><Path>/</Path><RoleId>AROAEXAMPLE</RoleId><CreateDate>2026-01-02T03:04:05Z</CreateDate>\
                 <Arn>arn:aws:iam::123456789012:role/{name}</Arn><Tags>{tags}</Tags>")
            .in_use("DeleteConflict"),
        certificate("certificate", "ImportCertificate", "IMPORTED", ""),
        certificate(
            "requested_certificate",
            "RequestCertificate",
            "AMAZON_ISSUED",
            ",\"DomainName\":\"{domain}\",\"Status\":\"{state}\",\"DomainValidationOptions\":[{\"DomainName\":\"{domain}\",\
             \"ResourceRecord\":{\"Name\":\"_a.{domain}.\",\"Type\":\"CNAME\",\"Value\":\"_b.acm-validations.aws.\"}}]",
        ),
        Shape {
            made: "{\"Version\":1,\"Tier\":\"Standard\"}".into(),
            listed: vec![("DescribeParameters", "{\"Parameters\":[{\"Name\":\"{name}\",\"Version\":1}]}".into())],
            ..Shape::new("parameter", &SSM, "PutParameter", "DeleteParameter", (400, "ParameterNotFound"))
        }
        .told("ListTagsForResource", "{\"TagList\":[{tags}]}"),
    ]
}

fn certificate(kind: &'static str, create: &'static str, of: &str, more: &str) -> Shape {
    let it = format!("\"CertificateArn\":\"{CERTIFICATE}\",\"Type\":\"{of}\"");
    Shape {
        made: format!("{{\"CertificateArn\":\"{CERTIFICATE}\"}}"),
        listed: vec![("ListCertificates", format!("{{\"CertificateSummaryList\":[{{{it}}}]}}"))],
        ..Shape::new(kind, &ACM, create, "DeleteCertificate", (400, "ResourceNotFoundException"))
    }
    .by_id("ListTagsForCertificate", "{\"Tags\":[{tags}]}")
    .by_id("DescribeCertificate", format!("{{\"Certificate\":{{{it}{more}}}}}"))
    .in_use("ResourceInUseException")
}

fn elb(
    kind: &'static str,
    create: &'static str,
    delete: &'static str,
    gone: &'static str,
    arn: &str,
) -> Shape {
    Shape::new(kind, &ELB, create, delete, (400, gone)).in_use("ResourceInUse").told(
        "DescribeTags",
        format!(
            "<DescribeTagsResponse><DescribeTagsResult><TagDescriptions><member><ResourceArn>{arn}</ResourceArn>\
             <Tags>{{tags}}</Tags></member></TagDescriptions></DescribeTagsResult></DescribeTagsResponse>"
        ),
    )
}

/// Auto Scaling has one code for all that is wrong with a call.
fn group() -> Shape {
    let shape = Shape::new(
        "autoscaling_group",
        &AUTOSCALING,
        "CreateAutoScalingGroup",
        "DeleteAutoScalingGroup",
        (400, "ValidationError"),
    );
    Shape {
        made: String::new(),
        gone: Answer::error(
            400,
            "ValidationError",
            "AutoScalingGroup name not found - AutoScalingGroup 'shop-web' not found",
        ),
        ..shape.members("AutoScalingGroups", "DescribeAutoScalingGroups").of(
            "<AutoScalingGroupName>{name}</AutoScalingGroupName><LaunchTemplate><LaunchTemplateId>{template}</LaunchTemplateId>\
             <Version>{template_version}</Version></LaunchTemplate><Tags>{tags}</Tags>",
        )
    }
    .in_use("ResourceInUse")
}

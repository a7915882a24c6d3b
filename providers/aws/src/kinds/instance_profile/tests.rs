use super::*;
use crate::{
    kinds::{look, map},
    recorded::{Answer, site, site_that, stack, with_job},
};

/// A page of roles: one of ours, with or without its profile, and one of somebody else.
fn roles(profile: bool, policies: &[&str]) -> String {
    let profile = if profile {
        "<member><Path>/</Path><InstanceProfileName>shop-web-1</InstanceProfileName><InstanceProfileId>AIPA1</InstanceProfileId>\
         <Arn>arn:aws:iam::123456789012:instance-profile/shop-web-1</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate><Roles/>\
         </member>"
    } else {
        ""
    };
    let policies: Vec<String> = policies
        .iter()
        .map(|arn| format!("<member><PolicyName>p</PolicyName><PolicyArn>{arn}</PolicyArn></member>"))
        .collect();
    format!(
        "<GetAccountAuthorizationDetailsResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <GetAccountAuthorizationDetailsResult><IsTruncated>false</IsTruncated><RoleDetailList><member><Path>/</Path>\
         <RoleName>somebody</RoleName><Tags/></member><member><Path>/</Path><RoleName>shop-web-1</RoleName>\
         <Arn>arn:aws:iam::123456789012:role/shop-web-1</Arn><InstanceProfileList>{profile}</InstanceProfileList>\
         <RolePolicyList><member><PolicyName>own</PolicyName><PolicyDocument>%7B%22Version%22%3A%222012-10-17%22%7D</PolicyDocument>\
         </member></RolePolicyList><AttachedManagedPolicies>{}</AttachedManagedPolicies><Tags>\
         <member><Key>standfast:stack</Key><Value>shop</Value></member>\
         <member><Key>standfast:environment</Key><Value>default</Value></member>\
         <member><Key>standfast:token</Key><Value>token</Value></member></Tags></member></RoleDetailList>\
         </GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>",
        policies.concat()
    )
}

fn done(action: &str) -> String {
    format!("<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"/>")
}

fn error(code: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>because</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

const SSM: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

fn inputs() -> Map {
    map([
        ("name", "shop-web-1".into()),
        ("profile", "shop-web-1".into()),
        ("managed_policies", [SSM].into_iter().collect()),
        ("policy", r#"{"Version":"2012-10-17"}"#.into()),
    ])
}

/// The actions among what was asked.
fn actions(asked: &[String]) -> Vec<&str> {
    asked.iter().filter_map(|one| one.split("Action=").nth(1)?.split('&').next()).collect()
}

#[tokio::test]
async fn a_role_that_was_half_made_is_finished() {
    let half = roles(false, &[]);
    let whole = roles(true, &[SSM]);
    let made_before = error("EntityAlreadyExists");
    let (attached, added) = (done("AttachRolePolicy"), done("AddRoleToInstanceProfile"));
    let (site, recorded) =
        site(&[(200, &half), (200, &attached), (409, &made_before), (200, &added), (200, &whole)]);
    with_job(&site, "instance_profile", inputs(), Map::new(), async |job| {
        let seen = look(&InstanceProfile, job.site, Select::Token(&stack(), "token")).await.unwrap();
        let [seen] = &seen[..] else { panic!("{seen:?}") };
        assert!(job.differs("profile", seen) && job.differs("managed_policies", seen));
        InstanceProfile.fit(job, seen).await.unwrap();
        let seen = look(&InstanceProfile, job.site, Select::Ids(&["shop-web-1"])).await.unwrap();
        assert!(
            !job.differs("policy", &seen[0])
                && !job.differs("profile", &seen[0])
                && !job.differs("managed_policies", &seen[0])
        );
        // Nothing is left to do.
        InstanceProfile.fit(job, &seen[0]).await.unwrap();
    })
    .await;
    let asked = recorded.asked();
    assert_eq!(
        actions(&asked),
        [
            "GetAccountAuthorizationDetails",
            "AttachRolePolicy",
            "CreateInstanceProfile",
            "AddRoleToInstanceProfile",
            "GetAccountAuthorizationDetails"
        ]
    );
}

#[tokio::test]
async fn a_removal_that_was_cut_off_is_finished() {
    let missing = error("NoSuchEntity");
    let (detached, own, deleted) = (done("DetachRolePolicy"), done("DeleteRolePolicy"), done("DeleteRole"));
    let (site, recorded) =
        site(&[(404, &missing), (404, &missing), (200, &detached), (200, &own), (200, &deleted)]);
    InstanceProfile.remove(&site, "shop-web-1", &inputs()).await.unwrap();
    let asked = recorded.asked();
    assert_eq!(
        actions(&asked),
        ["GetInstanceProfile", "DeleteInstanceProfile", "DetachRolePolicy", "DeleteRolePolicy", "DeleteRole"]
    );
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, trouble) in [
        (400, "Throttling", Trouble::Throttled),
        (403, "AccessDenied", Trouble::Denied),
        (409, "LimitExceeded", Trouble::Quota),
        (409, "DeleteConflict", Trouble::InUse),
        (409, "ConcurrentModification", Trouble::Throttled),
        (404, "NoSuchEntity", Trouble::NotFound),
    ] {
        let (missing, refused) = (error("NoSuchEntity"), error(code));
        let (site, _) = site(&[(404, &missing), (404, &missing), (status, &refused)]);
        let failure = InstanceProfile.remove(&site, "shop-web-1", &Map::new()).await.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "iam:DeleteRole"), "{code}");
    }
    // What may not be looked at is not taken for gone.
    let (site, _) = site_that(|_| Some(Answer::error(403, "AccessDenied", "because")));
    let failure = look(&InstanceProfile, &site, Select::Ids(&["shop-web-1"])).await.unwrap_err();
    assert_eq!((failure.trouble, failure.action), (Trouble::Denied, "iam:GetRole"));
}

/// Who may not read the whole account asks for its own roles.
#[tokio::test]
async fn who_may_not_list_all_that_the_account_has_looks_role_by_role() {
    let answer = |action: &str, result: &str| {
        Answer::ok(format!(
            "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{result}</{action}Result>\
             </{action}Response>"
        ))
    };
    let role = |name: &str| {
        format!(
            "<Path>/</Path><RoleName>{name}</RoleName><RoleId>AROA1</RoleId><Arn>arn:aws:iam::123456789012:role/{name}</Arn>\
             <CreateDate>2026-01-01T00:00:00Z</CreateDate><Tags><member><Key>standfast:stack</Key><Value>shop</Value></member>\
             <member><Key>standfast:environment</Key><Value>default</Value></member></Tags>"
        )
    };
    let (site, recorded) = site_that(move |asked| {
        let action = asked.action.as_str();
        let is_gone = asked.line.contains("RoleName=shop-gone-1");
        Some(match action {
            "GetAccountAuthorizationDetails" => {
                Answer::error(403, "AccessDenied", "User: jane is not authorized")
            }
            _ if is_gone => Answer::error(404, "NoSuchEntity", "it does not exist"),
            "ListRoles" => {
                let names = ["shop-web-1", "shop-gone-1", "other"];
                let roles: Vec<String> =
                    names.iter().map(|name| format!("<member>{}</member>", role(name))).collect();
                answer(action, &format!("<IsTruncated>false</IsTruncated><Roles>{}</Roles>", roles.concat()))
            }
            "GetRole" => answer(action, &format!("<Role>{}</Role>", role("shop-web-1"))),
            "GetRolePolicy" => answer(
                action,
                "<RoleName>shop-web-1</RoleName><PolicyName>own</PolicyName>\
                 <PolicyDocument>%7B%22Version%22%3A%222012-10-17%22%7D</PolicyDocument>",
            ),
            "ListInstanceProfilesForRole" => answer(
                action,
                "<IsTruncated>false</IsTruncated><InstanceProfiles><member><Path>/</Path>\
                 <InstanceProfileName>shop-web-1</InstanceProfileName><InstanceProfileId>AIPA1</InstanceProfileId>\
                 <Arn>arn:aws:iam::123456789012:instance-profile/shop-web-1</Arn>\
                 <CreateDate>2026-01-01T00:00:00Z</CreateDate><Roles/></member></InstanceProfiles>",
            ),
            _ => answer(action, "<IsTruncated>false</IsTruncated><AttachedPolicies/>"),
        })
    });
    let of_stack = look(&InstanceProfile, &site, Select::Stack(&stack())).await.unwrap();
    let by_name = look(&InstanceProfile, &site, Select::Ids(&["shop-web-1"])).await.unwrap();
    for seen in [of_stack, by_name] {
        let [seen] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(seen.id, "shop-web-1");
        assert_eq!(seen.attributes["profile"], "shop-web-1".into());
        assert_eq!(seen.attributes["policy"], r#"{"Version":"2012-10-17"}"#.into());
        assert_eq!(seen.attributes["managed_policies"], Value::List(Vec::new()));
    }
    assert!(recorded.asked().iter().all(|line| !line.contains("RoleName=other")));
}

use super::*;
use crate::{
    kinds::look,
    recorded::{site, stack, with_job},
};

const FOUND: &str = r#"{"Parameters": [{"Name": "/standfast/shop-web-1", "Version": 3, "Type": "SecureString",
    "ARN": "arn:aws:ssm:eu-west-1:123456789012:parameter/standfast/shop-web-1"}]}"#;
const TAGGED: &str = r#"{"TagList": [{"Key": "standfast:stack", "Value": "shop"},
    {"Key": "standfast:environment", "Value": "default"}, {"Key": "standfast:token", "Value": "token"}]}"#;

fn inputs(value: &str) -> Map {
    map([("name", "/standfast/shop-web-1".into()), ("value", value.into())])
}

#[tokio::test]
async fn it_is_found_by_its_marks_and_written_only_when_its_value_is_another() {
    let (site, recorded) =
        site(&[(200, FOUND), (200, TAGGED), (200, r#"{"Version": 4, "Tier": "Standard"}"#)]);
    let seen = look(&Parameter, &site, Select::Token(&stack(), "token")).await.unwrap();
    assert_eq!(seen[0].outputs["version"], "3".into());
    for (prior, calls) in [("old", 1), ("new", 0)] {
        recorded.asked();
        with_job(&site, "parameter", inputs("new"), inputs(prior), async |job| {
            Parameter.fit(job, &seen[0]).await.unwrap();
        })
        .await;
        let asked = recorded.asked();
        assert_eq!(asked.len(), calls, "{prior}");
        assert!(asked.iter().all(|one| one.contains("\"Overwrite\":true") && one.contains("SecureString")));
    }
}

#[test]
fn what_is_no_variable_is_refused_before_the_first_change() {
    let value_of = |given: Value| value(&Map::from([("value".into(), given)]));
    let refused = |given: Value| value_of(given).unwrap_err().message;
    assert_eq!(value_of(Value::Unknown).unwrap(), None);
    assert_eq!(value_of(Value::Int(5432)).unwrap().as_deref(), Some("5432"));
    assert_eq!(refused("".into()), "the value is empty");
    assert_eq!(refused("a\nb".into()), "the value has several lines, and an environment variable one");
    assert!(refused("a {{ b }} c".into()).contains("takes for the name of another parameter"));
    assert!(value_of("{{ and {".into()).is_ok() && value_of("}} {{".into()).is_ok());
    assert!(refused("x".repeat(4097).into()).starts_with("the value is longer than"));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (code, trouble) in [
        ("ThrottlingException", Trouble::Throttled),
        ("TooManyUpdates", Trouble::Throttled),
        ("AccessDeniedException", Trouble::Denied),
        ("ParameterNotFound", Trouble::NotFound),
        ("InternalServerError", Trouble::Lost),
    ] {
        let status = if code == "InternalServerError" { 500 } else { 400 };
        let answer = format!(r#"{{"__type": "{code}", "message": "because"}}"#);
        let (site, _) = site(&[(status, &answer)]);
        let failure = Parameter.remove(&site, "/standfast/shop-web-1", &Map::new()).await.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "ssm:DeleteParameter"), "{code}");
    }
}

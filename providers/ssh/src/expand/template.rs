//! Renders a user's minijinja template for one host.
//!
//! A template sees its variables, `host` (name, address, zone) and `stack` (name, environment); a name that is not
//! there is an error, never an empty text. Secrets and references are not known yet: a mark stands for each while the
//! template is rendered, and the text is taken apart at the marks afterwards. So their values never pass through a
//! template, and a filter that would change one is refused.

use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value as Data, syntax::SyntaxConfig};
use standfast_contract::{Map, Value};

use super::site::Site;

/// Begins and ends a mark: a private-use character, which case filters leave alone.
const MARK: char = '\u{F8FF}';

/// Steps that one template may take, each at most 64 bytes: 64 MiB, well under a second.
const FUEL: u64 = 1_000_000;

/// Why a template does not render.
#[derive(Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// From 1.
    pub line: Option<usize>,
    pub message: String,
}

/// The text: plain, or a join where secrets or references are in it.
pub fn render(source: &str, variables: &Map, site: &Site<'_>) -> Result<Value, TemplateError> {
    let mut marked = Vec::new();
    let mut data: Vec<(String, Data)> =
        variables.iter().map(|(name, value)| (name.clone(), to_data(value, &mut marked))).collect();
    data.push(("host".to_owned(), host(site)));
    data.push(("stack".to_owned(), stack(site)));

    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    // A line that holds nothing but a `{% ... %}` leaves no empty line behind.
    let syntax =
        SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build();
    engine.set_syntax(syntax.map_err(failed)?);
    engine.set_fuel(Some(FUEL));
    let text = engine.render_str(source, object(data)).map_err(failed)?;
    take_apart(&text, &marked)
}

fn failed(error: Error) -> TemplateError {
    TemplateError {
        line: error.line(),
        message: match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        },
    }
}

fn host(site: &Site<'_>) -> Data {
    object([("name", &*site.host.name), ("address", &*site.host.address), ("zone", site.zone())])
}

fn stack(site: &Site<'_>) -> Data {
    object([("name", &*site.stack.name), ("environment", &*site.stack.environment)])
}

fn object<K: Into<String>, V: Into<Data>>(pairs: impl IntoIterator<Item = (K, V)>) -> Data {
    Data::from(
        pairs
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect::<std::collections::BTreeMap<String, Data>>(),
    )
}

fn to_data(value: &Value, marked: &mut Vec<Value>) -> Data {
    match value {
        Value::Null => Data::from(()),
        Value::Bool(bool) => Data::from(*bool),
        Value::Int(int) => Data::from(*int),
        Value::Float(float) => Data::from(*float),
        Value::Text(text) => Data::from(text.as_str()),
        Value::List(values) => values.iter().map(|value| to_data(value, marked)).collect(),
        Value::Map(map) => object(map.iter().map(|(key, value)| (key.clone(), to_data(value, marked)))),
        later @ (Value::Output(_)
        | Value::Secret(_)
        | Value::Join(_)
        | Value::Sensitive(_)
        | Value::Unknown) => {
            marked.push(later.clone());
            Data::from(format!("{MARK}{}{MARK}", marked.len() - 1))
        }
    }
}

/// Puts back what the marks stand for.
fn take_apart(text: &str, marked: &[Value]) -> Result<Value, TemplateError> {
    let broken = || TemplateError {
        line: None,
        message: "a filter changed a secret or reference; only its whole value can be placed".to_owned(),
    };
    let pieces: Vec<&str> = text.split(MARK).collect();
    if pieces.len() == 1 {
        return Ok(Value::text(text));
    }
    if pieces.len().is_multiple_of(2) {
        return Err(broken());
    }
    let mut parts = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.iter().enumerate() {
        if index.is_multiple_of(2) {
            if !piece.is_empty() {
                parts.push(Value::text(*piece));
            }
            continue;
        }
        let value = piece.parse::<usize>().ok().and_then(|index| marked.get(index)).ok_or_else(broken)?;
        parts.push(value.clone());
    }
    Ok(Value::Join(parts))
}

#[cfg(test)]
mod tests {
    use standfast_contract::SecretSource;

    use super::*;
    use crate::expand::{fixtures, site::inputs};

    fn check(source: &str, variables: &Map) -> Result<Value, TemplateError> {
        let blueprint = fixtures::shop();
        render(source, variables, &fixtures::site(&blueprint, "web1"))
    }

    #[test]
    fn a_template_knows_host_stack_and_variables() {
        let variables = inputs([("names", ["a", "b"].into_iter().collect())]);
        let source = "{{ host.name }} {{ host.address }} {{ host.zone }} {{ stack.name }}\n{% for name in names %}\n{{ name }}\n{% endfor %}\nend\n";
        assert_eq!(check(source, &variables), Ok(Value::text("web1 10.77.0.21 rack-a shop\na\nb\nend\n")));
    }

    #[test]
    fn a_secret_becomes_part_of_a_join() {
        let secret = Value::Secret(SecretSource::Env("PASSWORD".into()));
        let variables = inputs([("db", Value::Map(inputs([("password", secret.clone())])))]);
        assert_eq!(
            check("a{{ db.password }}{{ db.password | upper }}", &variables),
            Ok(Value::Join(vec!["a".into(), secret.clone(), secret]))
        );
    }

    #[test]
    fn a_filter_may_not_change_a_secret() {
        let variables = inputs([("password", Value::Secret(SecretSource::Env("PASSWORD".into())))]);
        for source in
            ["{{ password[1:] }}", "{{ password | replace('0', '7') }}", "{{ password | reverse }}!\u{F8FF}"]
        {
            let error = check(source, &variables).unwrap_err();
            assert!(error.message.contains("filter changed a secret"), "{source}: {error:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_with_its_line() {
        let error = check("first\n{{ missing }}\n", &Map::new()).unwrap_err();
        assert_eq!(error.line, Some(2));
        let error = check("first\n\n{% if %}\n", &Map::new()).unwrap_err();
        assert_eq!(error.line, Some(3));
    }

    #[test]
    fn a_template_without_end_is_stopped() {
        let endless =
            "{% for a in range(10000) %}{% for b in range(10000) %}{{ a * b }}{% endfor %}{% endfor %}";
        assert!(check(endless, &Map::new()).unwrap_err().message.contains("fuel"));
    }
}

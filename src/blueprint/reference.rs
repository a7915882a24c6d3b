//! The table of keys as a page for people: `docs/blueprint.md`.

use std::fmt::Write;

use standfast_contract::{Section, outputs::OUTPUTS};

use super::{
    keys::{self, BLUEPRINT, COMMON, Key, Naming, Object, Shape},
    names::{ONLY, is_single},
    schema,
};

const HEAD: &str = "\
# The blueprint

A blueprint is one YAML document that says what is to run, where, and how well it must survive. `standfast check` tells
every mistake in it at once. `blueprints/` has examples; `standfast schema` prints a JSON Schema for editors:

```yaml
# yaml-language-server: $schema=./schema.json
```

Unknown keys, wrong types, duplicate keys and names of nothing are errors. Anchors, aliases and merge keys (`<<`) work.
A file may hold 4 MiB, 64 levels and 100,000 keys and values.

## Values

| kind | written as |
|---|---|
| duration | `500ms`, `10s`, `5m`, `1h30m`, `1d`, `2w` |
| size | `512MiB`, `20GiB`; also `MB`, `GB` |
| share | `60%`, `99.95%` |
| file mode | `0644`, with or without quotes |
| boolean | `true` or `false`; `yes` and `on` are texts |
| path on this machine | relative to the blueprint, absolute, or from `~/` |
| name | a letter, then letters, digits, `-` and `_`, 48 at most |

## References

- `${variables.NAME}`, or `${var.NAME}`: a variable, put in before anything is checked. Alone in its place it keeps its type.
- `${secrets.NAME}`: a secret, fetched when it is needed. Only where the tables say *value*.
- `${SECTION.NAME.OUTPUT}`, such as `${load_balancers.front.address}`: an output of another component, known after it is
  made. Only where the tables say *value*. Which outputs there are stands with each component.
- `$${` stands for a plain `${`.

Inside `{ ... }` and `[ ... ]`, YAML wants quotes around a reference: `{ image: \"${variables.image}\" }`.

On AWS a reference opens a port: what keeps data can be reached by the groups that refer to it in their `workload`, or name it in
`depends_on`, and by nobody else; one that nobody refers to can be reached by nobody, and `plan` warns of it. A group can be reached
by the load balancers that lead to it. `standfast graph` draws who talks to whom.

## Layers

`defaults.SECTION` is laid below every component of the section, the environment that `--env` names over the blueprint.
Maps merge key by key, lists and single values replace, and `null` takes away.
";

/// The reference of every key.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "<!-- Made from the table of keys by `UPDATE=1 cargo test --test it reference`. -->\n\n",
    );
    page.push_str(HEAD);
    for object in schema::objects() {
        write_object(&mut page, object);
        if std::ptr::eq(object, &BLUEPRINT) {
            page.push_str("\n<a id=\"common\"></a>\n\n## Every component\n\nWhat each component of each section may have.\n\n");
            write_table(&mut page, COMMON);
        }
    }
    page
}

fn write_object(page: &mut String, object: &Object) {
    let noun = object.noun.split_once(' ').map_or(object.noun, |(_article, noun)| noun);
    let mut title = noun.to_owned();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    // Writing to a String cannot fail.
    let _ = writeln!(page, "\n<a id=\"{}\"></a>\n\n## {title}\n\n{}\n", object.id, object.doc);
    if !object.one_of.is_empty() {
        let words: Vec<_> = object.one_of.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(page, "Exactly one of {}.\n", words.join(", "));
    }
    write_table(page, object.keys);
    if object.common {
        page.push_str("\nAnd those of [every component](#common).\n");
        let section = Section::ALL.iter().find(|section| std::ptr::eq(keys::of_section(**section), object));
        section.into_iter().for_each(|section| write_outputs(page, *section));
    }
}

/// What others may refer to.
fn write_outputs(page: &mut String, section: Section) {
    let name = if is_single(section) { ONLY } else { "NAME" };
    let _ = writeln!(
        page,
        "\nIts outputs, `${{{section}.{name}.OUTPUT}}`:\n\n| output | with | what it is |\n|---|---|---|"
    );
    for output in OUTPUTS.iter().filter(|output| output.section == section) {
        let _ = writeln!(page, "| `{}` | {} | {} |", output.name, output.providers.join(", "), output.doc);
    }
}

fn write_table(page: &mut String, keys: &[Key]) {
    page.push_str("| key | value | meaning |\n|---|---|---|\n");
    keys.iter().for_each(|key| write_key(page, key));
}

fn write_key(page: &mut String, key: &Key) {
    let mut meaning = key.doc.to_owned();
    if let Shape::Choice(words) = key.shape {
        let words: Vec<_> = words.iter().map(|(word, doc)| format!("`{word}`: {doc}")).collect();
        let _ = write!(meaning, " {}.", words.join("; "));
    }
    if key.required {
        meaning.push_str(" **Required.**");
    }
    if let Some(default) = key.default {
        let _ = write!(meaning, " Default: `{default}`.");
    }
    if let Some(example) = key.example {
        let _ = write!(meaning, " Example: `{example}`.");
    }
    let _ = writeln!(page, "| `{}` | {} | {} |", key.name, kind(&key.shape), meaning.replace('|', "\\|"));
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text => "text".into(),
        Shape::Reference(noun) => format!("name of {noun}"),
        Shape::Bool => "boolean".into(),
        Shape::Int(0, i64::MAX) => "whole number".into(),
        Shape::Int(low, i64::MAX) => format!("whole number, {low} or more"),
        Shape::Int(low, high) => format!("whole number, {low} to {high}"),
        Shape::Number => "number".into(),
        Shape::Port => "port".into(),
        Shape::Duration => "duration".into(),
        Shape::Size => "size".into(),
        Shape::Share => "share".into(),
        Shape::Mode => "file mode".into(),
        Shape::Ip => "IP address".into(),
        Shape::Cidr => "network".into(),
        Shape::Path => "path on this machine".into(),
        Shape::HostPath => "absolute path on the host".into(),
        Shape::Choice([(only, _)]) => format!("`{only}`"),
        Shape::Choice(_) => "one of these words".into(),
        Shape::Value => "value".into(),
        Shape::Any => "value, list or map".into(),
        Shape::Secret => "`${secrets.NAME}`".into(),
        Shape::List(item) => format!("list of: {}", kind(item)),
        Shape::Map(Naming::Free, value) => format!("map of any key to: {}", kind(value)),
        Shape::Map(_, value) => format!("map of name to: {}", kind(value)),
        Shape::Object(object) => format!("[{}](#{})", object.noun, object.id),
        Shape::Either(shapes) => shapes.iter().map(kind).collect::<Vec<_>>().join(", or "),
        Shape::Partial(inner) => format!("{}, all optional", kind(inner)),
    }
}

//! Talking to the terminal: colours, errors, questions.

use std::{
    io::{BufRead, IsTerminal, Write},
    os::fd::AsFd,
    sync::OnceLock,
};

use anstyle::{AnsiColor, Style};

use super::{
    args::{Format, Global},
    error::CliError,
    render,
};

/// Wider lines are hard to read.
const LAID_OUT_COLUMNS_MAX: usize = 100;

pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GREEN: Style = AnsiColor::Green.on_default();
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
pub const RED: Style = AnsiColor::Red.on_default();
pub const CYAN: Style = AnsiColor::Cyan.on_default();

/// Colours follow the terminal and NO_COLOR unless they are forbidden.
pub fn set_color(never: bool) {
    if never {
        anstream::ColorChoice::Never.write_global();
    }
}

/// Whether stderr takes colours.
pub fn stderr_color() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// A text in a style.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Why data could not be written to stdout.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Prints data to stdout. A reader that has gone away (`| head`) is no error; a full disk is one in the end.
pub fn out(text: impl std::fmt::Display) {
    let mut stdout = anstream::stdout();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = UNWRITTEN.set(error.to_string());
        }
        _ => {}
    }
}

/// Why not all of the data arrived, if it did not.
pub fn unwritten() -> Option<&'static str> {
    UNWRITTEN.get().map(String::as_str)
}

/// Prints what is for a person to stdout, broken to the terminal's width.
pub fn show(text: impl std::fmt::Display) {
    out(render::fit(&text.to_string(), columns(&std::io::stdout())));
}

/// Prints talk to stderr, broken to the terminal's width.
pub fn say(text: impl std::fmt::Display) {
    say_as_it_is(render::fit(&text.to_string(), columns(&std::io::stderr())));
}

/// Prints what is laid out already.
pub fn say_as_it_is(text: impl std::fmt::Display) {
    let mut stderr = anstream::stderr();
    let _ = writeln!(stderr, "{text}");
}

/// How wide a terminal is; 0 for what is none.
pub fn columns(stream: &(impl IsTerminal + AsFd)) -> usize {
    if !stream.is_terminal() {
        return 0;
    }
    rustix::termios::tcgetwinsize(stream).map_or(0, |size| size.ws_col.into())
}

/// How wide something may be laid out that is to be read on stderr.
pub fn columns_laid_out() -> usize {
    match columns(&std::io::stderr()) {
        0 => LAID_OUT_COLUMNS_MAX,
        columns => columns.clamp(40, LAID_OUT_COLUMNS_MAX),
    }
}

pub fn warn(subject: &str, message: &str, hint: Option<&str>) {
    say(format_args!("{}: {subject}: {message}", paint(YELLOW.bold(), "warning")));
    if let Some(hint) = hint {
        say(format_args!("  {}: {hint}", paint(CYAN, "hint")));
    }
}

/// Prints how a command failed: as JSON where JSON was asked for.
pub fn error(error: &CliError, global: &Global) {
    if global.format == Format::Json {
        let mut body =
            serde_json::json!({ "message": error.message, "hint": error.hint, "exit_code": error.code });
        if let Some(problems) = &error.problems {
            body["problems"] = problems.as_ref().clone();
        }
        say_as_it_is(serde_json::json!({ "error": body }));
        return;
    }
    if error.rendered {
        say_as_it_is(error.message.trim_end());
    } else {
        say(format_args!("{}: {}", paint(RED.bold(), "error"), error.message));
    }
    if let Some(hint) = &error.hint {
        say(format_args!("{}: {hint}", paint(CYAN.bold(), "hint")));
    }
}

/// Asks a question that only `yes` answers. Without a terminal nobody can answer.
pub async fn confirm(question: &str) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::new("nobody is there to approve this: standard input is no terminal")
            .hint("add `--auto-approve`, or save the plan with `plan --out FILE` and apply the file"));
    }
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "\n{question} Only {} is taken as consent: ", paint(BOLD, "yes"));
    let _ = stderr.flush();
    // On a thread of its own, so that a signal ends the wait: nobody waits for that thread at the end.
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.is_ok() && line.trim() == "yes"
    });
    Ok(answer.await.unwrap_or(false))
}

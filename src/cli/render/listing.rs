//! A table of texts: for `state list`, `history` and everything else with rows.

use super::words;
use crate::cli::terminal::DIM;

/// Between columns.
const GAP: &str = "   ";

/// Columns as wide as their widest cell, which may be styled; the last one is not filled up. A cell is one line.
///
/// Without rows only the headers are left, so say in words that there is nothing instead.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<(String, usize)>> =
        rows.iter().map(|row| row.iter().map(|cell| measured(cell)).collect()).collect();
    let mut widths: Vec<usize> = headers.iter().map(|header| words::width(header)).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.1);
        }
    }
    let mut out = String::new();
    let headers: Vec<(String, usize)> =
        headers.iter().map(|header| (format!("{DIM}{header}{DIM:#}"), words::width(header))).collect();
    for row in std::iter::once(&headers).chain(&rows) {
        if !out.is_empty() {
            out.push('\n');
        }
        // What comes after the last cell that says something is not written: no spaces at the end of a line.
        let used = row.iter().rposition(|cell| cell.1 > 0).map_or(0, |last| last + 1);
        for (at, (cell, width)) in row[..used].iter().enumerate() {
            if at > 0 {
                out.push_str(GAP);
            }
            out.push_str(cell);
            if at + 1 < used {
                let fill = widths.get(at).copied().unwrap_or_default().saturating_sub(*width);
                out.extend(std::iter::repeat_n(' ', fill));
            }
        }
    }
    out
}

/// A cell on one line and its width. Styles stay; other control characters are not let through.
fn measured(cell: &str) -> (String, usize) {
    let cell = cell.replace(['\n', '\r', '\t'], " ");
    let width = words::width(&cell);
    (cell, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::{GREEN, paint};

    #[test]
    fn columns_line_up_whatever_is_styled() {
        let rows = [
            vec!["12".to_owned(), paint(GREEN, "done"), "3 created".to_owned()],
            vec!["9".to_owned(), "interrupted".to_owned(), String::new()],
        ];
        let shown = anstream::adapter::strip_str(&table(&["run", "result", "what"], &rows)).to_string();
        insta::assert_snapshot!(shown, @r"
        run   result        what
        12    done          3 created
        9     interrupted
        ");
    }
}

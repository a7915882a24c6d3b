//! Times that come again, in cron's form: minute, hour, day of the month, month, day of the week.
//!
//! The form is crontab(5)'s, which is what Auto Scaling takes, names of months and days in ranges and lists too:
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutScheduledUpdateGroupAction.html>
//!
//! Deliberately absent: seconds and years, `@daily`, the `?`, `L`, `W` and `#` of other dialects, and when a time comes next.

struct Field {
    noun: &'static str,
    least: u32,
    most: u32,
    /// Words for the numbers from `least` on.
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 5] = [
    Field { noun: "minute", least: 0, most: 59, words: &[] },
    Field { noun: "hour", least: 0, most: 23, words: &[] },
    Field { noun: "day of the month", least: 1, most: 31, words: &[] },
    Field { noun: "month", least: 1, most: 12, words: MONTHS },
    // 7 is Sunday too.
    Field { noun: "day of the week", least: 0, most: 7, words: DAYS },
];

/// Days of the months of a leap year.
const DAYS_OF_MONTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Why a text is no time in cron's form, or one that never comes.
pub fn check(text: &str) -> Result<(), String> {
    let written: Vec<&str> = text.split_whitespace().collect();
    if written.len() != FIELDS.len() {
        return Err(format!("it has {}, not five", crate::words::count(written.len(), "field")));
    }
    let mut taken = [0; FIELDS.len()];
    for ((field, text), bits) in FIELDS.iter().zip(&written).zip(&mut taken) {
        for item in text.split(',') {
            *bits |= field.item(item)?;
        }
    }
    let [_, _, days, months, _] = taken;
    let has = |bits: u64, number: u32| bits >> number & 1 == 1;
    let comes = |(month, last): (u32, u32)| has(months, month) && (1..=last).any(|day| has(days, day));
    // A day of the week beside it is another way for the time to come.
    if written[4] == "*" && !(1..).zip(DAYS_OF_MONTHS).any(comes) {
        return Err("there is no such day in any of these months".to_owned());
    }
    Ok(())
}

impl Field {
    /// `*`, `5`, `1-5`, `MON-FRI`, `*/15` or `8-18/2`, as bits.
    fn item(&self, text: &str) -> Result<u64, String> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (text, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None if step.is_some() => {
                return Err(format!("`{text}` has a step and no range: write `{range}-{}/...`", self.most));
            }
            None => (self.number(range)?, self.number(range)?),
        };
        if first > last {
            return Err(format!("`{range}` goes backwards; write it as two ranges with a comma between"));
        }
        let step = match step.map(str::parse::<u32>) {
            None => 1,
            Some(Ok(step)) if (1..=self.most).contains(&step) => step,
            Some(_) => return Err(format!("`{text}` has no step from 1 to {}", self.most)),
        };
        Ok((first..=last).step_by(step as usize).fold(0, |bits, number| bits | 1 << number))
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        if let Some(at) = (self.least..).zip(self.words).find(|(_, word)| word.eq_ignore_ascii_case(text)) {
            return Ok(at.0);
        }
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(number) if is_number && (self.least..=self.most).contains(&number) => Ok(number),
            _ => {
                let words = match self.words {
                    [first, .., last] => format!(", or {first} to {last}"),
                    _ => String::new(),
                };
                Err(format!("the {} is from {} to {}{words}, not `{text}`", self.noun, self.least, self.most))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_what_only_looks_like_one() {
        for text in [
            "0 8 * * MON-FRI",
            "*/15 * * * *",
            "30 0 1 1,6,12 *",
            "0 8-18/2 * jan-mar sun,7",
            "0 0 29 2 *",
            // The day of the month never comes; the Monday does.
            "0 0 31 2 MON",
            "  0\t0 * * 0 ",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, why) in [
            ("", "it has 0 fields, not five"),
            ("0 8 * *", "it has 4 fields, not five"),
            ("@daily", "it has 1 field, not five"),
            ("0 0 8 ? * MON *", "it has 7 fields, not five"),
            ("60 8 * * *", "the minute is from 0 to 59, not `60`"),
            ("0 24 * * *", "the hour is from 0 to 23, not `24`"),
            ("0 8 0 * *", "the day of the month is from 1 to 31, not `0`"),
            ("0 8 ? * *", "the day of the month is from 1 to 31, not `?`"),
            ("0 8 L * *", "the day of the month is from 1 to 31, not `L`"),
            ("0 8 * 13 *", "the month is from 1 to 12, or JAN to DEC, not `13`"),
            ("0 8 * * 8", "the day of the week is from 0 to 7, or SUN to SAT, not `8`"),
            ("0 8 * * MONDAY", "the day of the week is from 0 to 7, or SUN to SAT, not `MONDAY`"),
            ("0 8 * * MON#1", "the day of the week is from 0 to 7, or SUN to SAT, not `MON#1`"),
            ("0 8, * * *", "the hour is from 0 to 23, not ``"),
            ("0 +8 * * *", "the hour is from 0 to 23, not `+8`"),
            ("0 8 * * FRI-MON", "`FRI-MON` goes backwards; write it as two ranges with a comma between"),
            ("*/0 * * * *", "`*/0` has no step from 1 to 59"),
            ("*/90 * * * *", "`*/90` has no step from 1 to 59"),
            ("5/15 * * * *", "`5/15` has a step and no range: write `5-59/...`"),
            ("0 8 31 2,4,6 *", "there is no such day in any of these months"),
        ] {
            assert_eq!(check(text), Err(why.to_owned()), "{text}");
        }
    }
}

//! Windows of time in which a provider may do what is felt: each day (`02:00-03:00`) or each week
//! (`sun:03:00-sun:04:00`), in UTC as the providers count them.

use super::super::reader::Reader;

const DAY_MIN: u32 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WEEK_MIN: u32 = 7 * DAY_MIN;
/// The shortest and the longest, as RDS has them: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.Maintenance.html>
const LENGTHS_MIN: std::ops::RangeInclusive<u32> = 30..=DAY_MIN;

/// A window, as it was written (in lower case), and in minutes.
pub struct Window {
    pub text: String,
    start_min: u32,
    length_min: u32,
}

/// A window of each day. One that goes past midnight is fine.
pub fn daily(reader: &Reader<'_>, key: &str) -> Option<String> {
    let text = reader.text(key)?.to_ascii_lowercase();
    told(reader, key, parse(&text, DAY_MIN, minute_of_day), &text, "02:00-03:00").map(|window| window.text)
}

/// A window of each week.
pub fn weekly(reader: &Reader<'_>, key: &str) -> Option<Window> {
    let text = reader.text(key)?.to_ascii_lowercase();
    told(reader, key, parse(&text, WEEK_MIN, minute_of_week), &text, "sun:03:00-sun:04:00")
}

/// A window of the week and one of each day must not meet: RDS does not take them.
pub fn check_apart(reader: &Reader<'_>, week: &Window, day: &str) {
    let Ok(day) = parse(day, DAY_MIN, minute_of_day) else { return };
    let after = |from: u32, to: u32| (to + DAY_MIN - from % DAY_MIN) % DAY_MIN;
    let meets = after(week.start_min, day.start_min) < week.length_min
        || after(day.start_min, week.start_min % DAY_MIN) < day.length_min;
    if meets {
        reader.push(
            reader
                .error("maintenance_window", format!("maintenance would fall into the backup ({})", day.text))
                .help("move one of the two windows"),
        );
    }
}

fn told(
    reader: &Reader<'_>,
    key: &str,
    parsed: Result<Window, String>,
    text: &str,
    example: &str,
) -> Option<Window> {
    match parsed {
        Ok(window) => Some(window),
        Err(why) => {
            reader.push(
                reader
                    .error(key, format!("`{text}` is no window: {why}"))
                    .expected(format!("for example `{example}`, in UTC")),
            );
            None
        }
    }
}

fn parse(text: &str, around_min: u32, minute: fn(&str) -> Option<u32>) -> Result<Window, String> {
    let ends = text.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
    let Some((start_min, end_min)) = ends else { return Err("it names no two times".to_owned()) };
    let length_min = (end_min + around_min - start_min) % around_min;
    if !LENGTHS_MIN.contains(&length_min) {
        return Err(format!("it is {length_min} minutes long, and must be from 30 minutes to a day"));
    }
    Ok(Window { text: text.to_owned(), start_min, length_min })
}

/// Of `03:05`, two digits each.
fn minute_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, below: u32| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| is_number && *number < below)
    };
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

/// Of `sun:03:05`.
fn minute_of_week(text: &str) -> Option<u32> {
    let (day, time) = text.split_once(':')?;
    let day = DAYS.iter().zip(0..).find_map(|(name, number)| (*name == day).then_some(number))?;
    Some(day * DAY_MIN + minute_of_day(time)?)
}

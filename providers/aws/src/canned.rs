//! An endpoint that gives the answers it was told to give, in AWS's own shapes, and remembers what was asked: for what a
//! stand-in that is always ready and always willing cannot show.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::{BehaviorVersion, retry::RetryConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{clients::Site, place::Place};

/// An answer to one call of an action.
pub(crate) enum Answer {
    Ok(String),
    /// Status, code, message.
    Error(u16, &'static str, &'static str),
    /// The call takes effect, and its connection ends without a word.
    Lost,
}

struct Script {
    answers: VecDeque<(&'static str, Answer)>,
    asked: Vec<String>,
}

pub(crate) struct Canned {
    script: Arc<Mutex<Script>>,
    port: u16,
}

impl Canned {
    /// Answers in this order; a call of another action than the next is answered with an error that says so.
    pub async fn new(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        let script = Script { answers: answers.into_iter().collect(), asked: Vec::new() };
        let script = Arc::new(Mutex::new(script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Canned { script, port }
    }

    /// A site that this endpoint answers for.
    pub async fn site(&self, place: &Place) -> Site {
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(aws_config::Region::new(place.location.clone()))
            .endpoint_url(format!("http://127.0.0.1:{}", self.port))
            .credentials_provider(aws_sdk_sts::config::Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::standard().with_max_attempts(1))
            .load()
            .await;
        let mut site = Site::of(place, &config);
        site.poll = Duration::from_millis(1);
        site
    }

    /// The actions that were called.
    pub fn asked(&self) -> Vec<String> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    while let Some(body) = request(&mut stream).await {
        let action =
            body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default().to_owned();
        let answer = {
            let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
            script.asked.push(action.clone());
            match script.answers.front() {
                Some((expected, _)) if *expected == action => {
                    script.answers.pop_front().map(|(_, answer)| answer)
                }
                _ => None,
            }
        };
        let (status, text) = match answer {
            Some(Answer::Ok(text)) => (200, text),
            Some(Answer::Error(status, code, message)) => (status, error(code, message)),
            Some(Answer::Lost) => return,
            None => (400, error("Unexpected", &format!("nobody expected {action} now"))),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        if stream.write_all(format!("{head}{text}").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The shape of EC2's errors. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
fn error(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>\
         </Errors><RequestID>r-1</RequestID></Response>"
    )
}

/// The body of the next request on a connection.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(body.to_owned());
            }
        }
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&part[..count]),
        }
    }
}

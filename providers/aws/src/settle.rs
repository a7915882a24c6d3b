//! Bringing a thing to what is wanted, and waiting: until it is listed, ready, no longer in use, gone.

use std::{collections::BTreeMap, time::Duration};

use standfast_contract::{Call, Context, Made, Map};
use tokio::time::{Instant, sleep};

use crate::{
    clients::Site,
    failure::{Failure, Trouble},
    kinds::{self, Job, Phase, Seen, Select, Wanted, Works},
    marks,
};

/// What has just been made may not be listed for so long.
const APPEAR_MAX: Duration = Duration::from_secs(60);
/// What is in use, or being changed, is tried again for so long: a load balancer's interfaces outlive it by minutes, and
/// hold its addresses.
const RELEASE_MAX: Duration = Duration::from_secs(10 * 60);

/// After so long without becoming ready the user hears of it; the engine's tries go on waiting. A large database takes
/// most of an hour.
const READY_MAX: Duration = Duration::from_secs(60 * 60);

/// What calls itself ready may not have begun with a change for so long. After that it is taken at its word: what AWS
/// keeps for a maintenance window is nothing to wait for.
const BEGIN_MAX: Duration = Duration::from_secs(5 * 60);

/// Waits until it is ready. What fails by itself is an error that says why.
pub(crate) async fn ready(works: &dyn Works, job: &Job<'_>, id: &str) -> Result<Seen, Failure> {
    job.context.wait(until_ready(works, job, id, None)).await
}

/// `before`: as it was seen before it was changed.
async fn until_ready(
    works: &dyn Works,
    job: &Job<'_>,
    id: &str,
    before: Option<&Seen>,
) -> Result<Seen, Failure> {
    let began = Instant::now();
    let mut quiet = began;
    let mut wait = Duration::from_millis(200);
    loop {
        let seen = kinds::look(works, job.site, Select::Ids(&[id])).await?;
        let told = match seen.into_iter().next() {
            Some(seen) => match seen.phase {
                Phase::Ready => match before.and_then(|before| works.unfinished(job, before, &seen)) {
                    Some(word) if quiet.elapsed() < BEGIN_MAX => word,
                    _ => return Ok(seen),
                },
                Phase::Pending(word) => {
                    quiet = Instant::now();
                    word
                }
                Phase::Failed(why) => return Err(Failure::new(Trouble::Broken, "", why)),
                Phase::Gone => return Err(Failure::new(Trouble::NotFound, "", format!("{id} is gone"))),
            },
            None if began.elapsed() < APPEAR_MAX => "not listed yet".to_owned(),
            None => return Err(Failure::new(Trouble::NotFound, "", format!("{id} is not listed"))),
        };
        if began.elapsed() > READY_MAX {
            let minutes = READY_MAX.as_secs() / 60;
            let still = format!(
                "after {minutes} min AWS still says of {id}: {told}; the same command again goes on waiting for it"
            );
            return Err(Failure::new(Trouble::Lost, "", still));
        }
        (job.context.progress)(&format!("AWS says: {told}"));
        sleep(wait).await;
        wait = (wait * 2).min(job.site.poll);
    }
}

pub(crate) async fn listed(works: &dyn Works, job: &Job<'_>, id: &str) -> Result<Seen, Failure> {
    let seen = kinds::look(works, job.site, Select::Ids(&[id])).await?;
    let gone = || Failure::new(Trouble::NotFound, "", format!("{id} is not there"));
    seen.into_iter().find(Seen::is_there).ok_or_else(gone)
}

/// Brings a thing that exists to what is wanted, and says what it puts out.
pub(crate) async fn settle(works: &dyn Works, job: &Job<'_>, mut seen: Seen) -> Result<Made, Failure> {
    let call = job.call;
    // What nobody can look at differs where another one is asked for than was.
    let is_seen = |key: &str| works.kind().attribute(key).is_none_or(|attribute| attribute.observed);
    let differs = call.inputs.keys().chain(call.prior.keys()).any(|key| {
        key != "tags"
            && if is_seen(key) {
                job.differs(key, &seen)
            } else {
                call.prior.get(key) != call.inputs.get(key)
            }
    });
    seen = fit(works, job, seen).await?;
    let wanted = marks::of(&job.context.stack, &call.address, &call.inputs);
    let set = wanted
        .into_iter()
        .filter(|(key, value)| seen.tags.get(key) != Some(value))
        .collect::<BTreeMap<_, _>>();
    let own = marks::own(&call.inputs);
    let dropped = |key: &String| !own.contains_key(key) && seen.tags.contains_key(key);
    let unset: Vec<String> = marks::own(&call.prior).into_keys().filter(dropped).collect();
    if !set.is_empty() || !unset.is_empty() {
        works.tag(job.site, &seen.id, &set, &unset).await?;
    }
    if differs {
        seen = job.context.wait(until_ready(works, job, &seen.id, Some(&seen))).await?;
    }
    Ok(Made { id: seen.id, outputs: seen.outputs })
}

/// Fits it, as soon as AWS takes a change of it: what it is changing by itself, or on an earlier word, takes the rest when
/// that is done. Gives what was seen before the last change.
async fn fit(works: &dyn Works, job: &Job<'_>, mut seen: Seen) -> Result<Seen, Failure> {
    // Without what `ready` waits for, which has a limit of its own.
    let mut waited = Duration::ZERO;
    loop {
        let began = Instant::now();
        match works.fit(job, &seen).await {
            Err(failure) if failure.trouble == Trouble::Busy && waited < RELEASE_MAX => {
                (job.context.progress)(&format!("AWS is changing it: {}", failure.message));
                job.context.wait(sleep(job.site.poll * 5)).await;
                waited += began.elapsed();
                seen = ready(works, job, &seen.id).await?;
            }
            fitted => return fitted.map(|()| seen).map_err(given_up),
        }
    }
}

/// What AWS still does not take would only be waited for as long again by the engine's tries.
fn given_up(failure: Failure) -> Failure {
    match failure.trouble {
        Trouble::Busy => Failure { trouble: Trouble::Stuck, ..failure },
        _ => failure,
    }
}

/// Makes it, as soon as what it needs is free, and gives its id.
pub(crate) async fn make(works: &dyn Works, job: &Job<'_>) -> Result<String, Failure> {
    when_free(job.context, job.site, || works.make(job)).await.map_err(given_up)
}

/// The id of a recorded thing, or of what carries its address.
pub(crate) async fn id_of(
    context: &Context,
    site: &Site,
    works: &dyn Works,
    call: &Call,
) -> Result<Option<String>, Failure> {
    if let Some(id) = &call.id {
        return Ok(Some(id.clone()));
    }
    let seen = kinds::look(works, site, Select::Stack(&context.stack)).await?;
    let mine = |seen: &Seen| marks::address(&seen.tags).as_ref() == Some(&call.address);
    Ok(seen.into_iter().filter(Seen::is_there).find(mine).map(|seen| seen.id))
}

/// Removes it, as soon as nothing uses it any more, and waits until it is gone.
pub(crate) async fn remove(
    context: &Context,
    site: &Site,
    works: &dyn Works,
    id: &str,
    recorded: &Map,
) -> Result<(), Failure> {
    match when_free(context, site, || works.remove(site, id, recorded)).await {
        Err(failure) if failure.trouble == Trouble::NotFound => return Ok(()),
        removed => removed?,
    }
    context.wait(gone(context, site, works, id)).await
}

/// Tries until nothing else uses or changes what the call is about, for [`RELEASE_MAX`].
async fn when_free<T, Tried: Future<Output = Result<T, Failure>>>(
    context: &Context,
    site: &Site,
    call: impl Fn() -> Tried,
) -> Result<T, Failure> {
    let began = Instant::now();
    let mut wait = Duration::from_millis(500);
    loop {
        match call().await {
            Err(failure)
                if matches!(failure.trouble, Trouble::InUse | Trouble::Busy)
                    && began.elapsed() < RELEASE_MAX =>
            {
                let word =
                    if failure.trouble == Trouble::Busy { "AWS is changing it" } else { "still in use" };
                (context.progress)(&format!("{word}: {}", failure.message));
            }
            Err(failure) if failure.trouble == Trouble::InUse => {
                let minutes = RELEASE_MAX.as_secs() / 60;
                let message = format!("after {minutes} min it is still in use: {}", failure.message);
                return Err(Failure { trouble: Trouble::Held, message, ..failure });
            }
            tried => return tried,
        }
        context.wait(sleep(wait)).await;
        wait = (wait * 2).min(site.poll * 5);
    }
}

async fn gone(context: &Context, site: &Site, works: &dyn Works, id: &str) -> Result<(), Failure> {
    let mut wait = Duration::from_millis(200);
    loop {
        let looked = match kinds::look(works, site, Select::Bare(&[id], &Wanted::new())).await {
            // Between a list that still has it and what is asked about it.
            Err(failure) if failure.trouble == Trouble::NotFound => return Ok(()),
            looked => looked?,
        };
        let Some(seen) = looked.into_iter().find(Seen::is_there) else { return Ok(()) };
        if let Phase::Pending(word) = seen.phase {
            (context.progress)(&format!("AWS says: {word}"));
        }
        sleep(wait).await;
        wait = (wait * 2).min(site.poll);
    }
}

//! From numbers to the mail's words: one template folder a kind, `subject.txt`, `body.txt`, `body.html`.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::mime;
use crate::{
    domain::{
        heart_rate::{Alert, AlertRule, LimitSource},
        message::{Attachment, InlineImage, Message, MessageKind},
        report::{DailyReport, Headline, HeadlineKey},
        window::Window,
    },
    template::{TemplateError, Templates, words},
};

/// The largest HTML part: Gmail cuts what is longer and hides the rest.
pub const HTML_MAX_BYTES: usize = 90_000;

/// The figures on the tiles of the daily mail; the others are listed below its chart.
const TILES: [HeadlineKey; 4] = [
    HeadlineKey::Rides,
    HeadlineKey::Riders,
    HeadlineKey::DurationSeconds,
    HeadlineKey::PowerWattsMean,
];

/// The daily mail's chart, as the template names it.
const CHART: &str = "chart";

/// Who a mail is to.
#[derive(Debug, Clone, Copy)]
pub struct To<'a> {
    /// The address.
    pub address: &'a str,
    /// Where whoever has that address unsubscribes; none where that cannot be done over the web.
    pub unsubscribe_url: Option<&'a str>,
}

impl<'a> From<&'a str> for To<'a> {
    fn from(address: &'a str) -> Self {
        To {
            address,
            unsubscribe_url: None,
        }
    }
}

/// What the daily mail is made of.
#[derive(Debug, Clone, Copy)]
pub struct DailyMail<'a> {
    /// The day's numbers.
    pub report: &'a DailyReport,
    /// The report as PDF.
    pub pdf: &'a [u8],
    /// Rides per day as PNG, 1200 px wide, opaque.
    pub chart_png: &'a [u8],
    /// Where the day's page is open to people; none without a site address.
    pub page_url: Option<&'a str>,
    /// Where the index is.
    pub index_url: Option<&'a str>,
}

/// A heart-rate alert as its rider reads it.
#[derive(Debug, Clone, Serialize)]
pub struct HeartRateAlert {
    /// The topic of the mail: ride, direction and level.
    #[serde(skip)]
    pub topic: String,
    /// First name; none where unknown.
    pub forename: Option<String>,
    /// `high` or `low`.
    pub direction: &'static str,
    /// What was measured.
    pub heart_rate_bpm: i32,
    /// For how long.
    pub sustained_seconds: i32,
    /// The limit.
    pub limit_bpm: i32,
    /// Where the limit comes from, after a colon: `208 − 0.7 × age, at 43 years`, `set for you`.
    pub limit_source: String,
    /// Whether the limit is a guess from age, and not set for the rider.
    pub is_estimate: bool,
    /// When, UTC.
    pub raised_at: DateTime<Utc>,
    /// The company's zone, e.g. `Europe/London`.
    pub timezone: String,
    /// Whom to write to, to get no more of these mails.
    pub sender: String,
}

impl HeartRateAlert {
    /// What `alert` says to its rider, by the rule that raised it. `from` is the mails' sender.
    #[must_use]
    pub fn new(alert: &Alert, rule: &AlertRule, timezone: &str, from: &str) -> Self {
        let raised = &alert.raised;
        let at_age = alert
            .warned
            .age
            .map_or_else(String::new, |age| format!(", at {age} years"));
        let limit_source = match raised.limit_source {
            LimitSource::Formula(formula) if (rule.fraction - 1.0).abs() < f64::EPSILON => {
                format!("{}{at_age}", formula.text())
            }
            LimitSource::Formula(formula) => {
                format!("{:.0}\u{202f}% of {}{at_age}", rule.fraction * 100.0, formula.text())
            }
            LimitSource::AgeAndGender => format!("the usual one for your age and gender{at_age}"),
            LimitSource::Rider => "it was set for you".to_owned(),
        };
        HeartRateAlert {
            topic: alert.topic(),
            forename: alert.warned.forename.clone(),
            direction: raised.direction.name(),
            heart_rate_bpm: raised.heart_rate_bpm,
            sustained_seconds: raised.sustained_seconds,
            limit_bpm: raised.limit_bpm,
            limit_source,
            is_estimate: raised.limit_source != LimitSource::Rider,
            raised_at: DateTime::from_timestamp_micros(alert.raised_at).unwrap_or_default(),
            timezone: timezone.to_owned(),
            sender: mime::sender_address(from).to_owned(),
        }
    }
}

/// Something that went wrong with a job, as whoever keeps the system running reads it.
#[derive(Debug, Clone)]
pub struct JobFailure {
    /// The job's name.
    pub job: String,
    /// The window it ran for.
    pub window: Window,
    /// When it failed or was cut short for the last time, or was to be done, UTC.
    pub at: DateTime<Utc>,
    /// What went wrong.
    pub how: Failing,
    /// The error with its causes, or how a late job stands.
    pub error: String,
}

/// What went wrong with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Failing {
    /// It failed, and is not tried again by itself.
    GaveUp {
        /// How often it was tried.
        attempts: u32,
        /// Runs of the job that failed since the mail before; told where there were several.
        times: usize,
    },
    /// The process ended so often while it ran.
    CutShort {
        /// How often.
        times: u32,
    },
    /// It was not done by its deadline.
    Late,
}

/// What a mail about failures is made of.
#[derive(Debug, Clone, Copy)]
pub struct FailureMail<'a> {
    /// What went wrong, at least one thing, oldest first.
    pub failures: &'a [JobFailure],
    /// The company's zone.
    pub timezone: Tz,
    /// Where the jobs page is open to people; none without a public address.
    pub jobs_url: Option<&'a str>,
}

/// The daily report's mail to `recipient`.
///
/// # Errors
/// A template that does not fit.
pub fn daily_report<'a>(
    templates: &Templates,
    mail: &DailyMail<'_>,
    to: impl Into<To<'a>>,
) -> Result<Message, TemplateError> {
    #[derive(Serialize)]
    struct Values<'a> {
        report: &'a DailyReport,
        rides: Option<&'a Headline>,
        /// All of them, in the order they are shown.
        headlines: &'a [Headline],
        tiles: Vec<&'a Headline>,
        more: Vec<&'a Headline>,
        page_url: Option<&'a str>,
        index_url: Option<&'a str>,
        has_chart: bool,
    }
    let DailyMail {
        report,
        pdf,
        chart_png,
        page_url,
        index_url,
    } = *mail;
    let (tiles, more) = report
        .headlines
        .iter()
        .partition(|headline| TILES.contains(&headline.key));
    let values = Values {
        report,
        rides: report.headline(HeadlineKey::Rides),
        headlines: &report.headlines,
        tiles,
        more,
        page_url,
        index_url,
        has_chart: !chart_png.is_empty(),
    };
    let mut message = render(
        templates,
        MessageKind::DailyReport,
        report.day.to_string(),
        to.into(),
        &values,
    )?;
    if !chart_png.is_empty() {
        message.images.push(InlineImage {
            content_id: CHART.to_owned(),
            png: chart_png.to_vec(),
        });
    }
    message.attachments.push(Attachment {
        name: format!("deloton-{}.pdf", report.day),
        media_type: "application/pdf".to_owned(),
        bytes: pdf.to_vec(),
    });
    Ok(message)
}

/// The mail that a day was restated after its report was mailed.
///
/// # Errors
/// A template that does not fit.
pub fn restatement<'a>(
    templates: &Templates,
    mail: &DailyMail<'_>,
    to: impl Into<To<'a>>,
) -> Result<Message, TemplateError> {
    #[derive(Serialize)]
    struct Values<'a> {
        report: &'a DailyReport,
        restated: String,
        page_url: Option<&'a str>,
    }
    let DailyMail { report, page_url, .. } = *mail;
    let values = Values {
        report,
        restated: words::restated(report).unwrap_or_default(),
        page_url,
    };
    render(
        templates,
        MessageKind::Restatement,
        report.day.to_string(),
        to.into(),
        &values,
    )
}

/// A heart-rate alert's mail to the rider's address.
///
/// # Errors
/// A template that does not fit.
pub fn heart_rate_alert<'a>(
    templates: &Templates,
    alert: &HeartRateAlert,
    to: impl Into<To<'a>>,
) -> Result<Message, TemplateError> {
    render(
        templates,
        MessageKind::HeartRateAlert,
        alert.topic.clone(),
        to.into(),
        alert,
    )
}

/// Failures told one by one in a mail; there may be hundreds, with one cause.
const MOST_FAILURES: usize = 20;

/// The mail about what went wrong with jobs.
///
/// # Errors
/// A template that does not fit.
pub fn job_failures<'a>(
    templates: &Templates,
    mail: &FailureMail<'_>,
    to: impl Into<To<'a>>,
) -> Result<Message, TemplateError> {
    #[derive(Serialize)]
    struct Failure<'a> {
        job: &'a str,
        window: String,
        day: Option<Window>,
        at: String,
        #[serde(flatten)]
        how: Failing,
        /// Of the job, e.g. `failed`.
        what: &'static str,
        error: &'a str,
    }
    #[derive(Serialize)]
    struct Values<'a> {
        failures: Vec<Failure<'a>>,
        count: usize,
        /// Failures that are not among `failures`.
        more: usize,
        jobs: Vec<&'a str>,
        has_failed: bool,
        timezone: &'a str,
        jobs_url: Option<&'a str>,
    }
    let failures = mail.failures.iter().take(MOST_FAILURES).map(|failure| Failure {
        job: &failure.job,
        window: failure.window.to_string(),
        day: failure.window.instant().is_none().then_some(failure.window),
        at: failure
            .at
            .with_timezone(&mail.timezone)
            .format("%H:%M on %Y-%m-%d")
            .to_string(),
        how: failure.how,
        what: match failure.how {
            Failing::GaveUp { .. } => "failed",
            Failing::CutShort { .. } => "was cut short",
            Failing::Late => "is late",
        },
        error: &failure.error,
    });
    let mut jobs: Vec<&str> = mail.failures.iter().map(|failure| failure.job.as_str()).collect();
    jobs.sort_unstable();
    jobs.dedup();
    let values = Values {
        failures: failures.collect(),
        count: mail.failures.len(),
        more: mail.failures.len().saturating_sub(MOST_FAILURES),
        jobs,
        has_failed: mail.failures.iter().any(|failure| failure.how != Failing::Late),
        timezone: mail.timezone.name(),
        jobs_url: mail.jobs_url,
    };
    let newest = mail.failures.iter().max_by_key(|failure| failure.at);
    let topic = newest.map_or_else(String::new, |newest| {
        let at = newest.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!("{} {} {at}", newest.job, newest.window)
    });
    render(templates, MessageKind::JobFailure, topic, to.into(), &values)
}

/// What is wrong with the mails' templates: each is rendered from samples, the daily mail from those of `reports`.
pub fn check(templates: &Templates, reports: &[DailyReport]) -> Vec<TemplateError> {
    let address = "someone@deloton.example";
    let to = To {
        address,
        unsubscribe_url: Some("https://deloton.example/unsubscribe/0f"),
    };
    let at = DateTime::UNIX_EPOCH;
    let mails = reports.iter().flat_map(|report| {
        [None, Some("https://site.example/index.html")]
            .into_iter()
            .flat_map(move |url| {
                let mail = DailyMail {
                    report,
                    pdf: &[],
                    chart_png: url.map_or(&[], |_| b"png"),
                    page_url: url,
                    index_url: url,
                };
                // With every link, or with none.
                let to = To {
                    unsubscribe_url: url,
                    ..to
                };
                [daily_report(templates, &mail, to), restatement(templates, &mail, to)]
            })
    });
    let alerts = [("high", Some("Ann")), ("low", None)].map(|(direction, forename)| {
        let alert = HeartRateAlert {
            topic: "a ride".to_owned(),
            forename: forename.map(str::to_owned),
            direction,
            heart_rate_bpm: 184,
            sustained_seconds: 12,
            limit_bpm: 178,
            limit_source: "208 − 0.7 × age, at 43 years".to_owned(),
            is_estimate: true,
            raised_at: at,
            timezone: "Europe/London".to_owned(),
            sender: address.to_owned(),
        };
        let to = if direction == "high" { to } else { address.into() };
        heart_rate_alert(templates, &alert, to)
    });
    let failure = |window, how| JobFailure {
        job: "publish".to_owned(),
        window,
        at,
        how,
        error: "the bucket does not exist".to_owned(),
    };
    let all = [
        failure(Window::Day(at.date_naive()), Failing::GaveUp { attempts: 1, times: 1 }),
        failure(Window::Instant(at), Failing::GaveUp { attempts: 3, times: 3 }),
        failure(Window::Day(at.date_naive()), Failing::CutShort { times: 3 }),
        failure(Window::Day(at.date_naive()), Failing::Late),
    ];
    let many: Vec<_> = all.iter().cycle().take(MOST_FAILURES + 3).cloned().collect();
    let failures = [&all[..1], &all[1..2], &all[2..3], &all[3..], &many].map(|failures| {
        let mail = FailureMail {
            failures,
            timezone: Tz::Europe__London,
            jobs_url: (failures.len() > 1).then_some("https://deloton.example/jobs"),
        };
        let to = if failures.len() > 1 { to } else { address.into() };
        job_failures(templates, &mail, to)
    });
    mails.chain(alerts).chain(failures).filter_map(Result::err).collect()
}

fn render(
    templates: &Templates,
    kind: MessageKind,
    topic: String,
    to: To<'_>,
    values: &impl Serialize,
) -> Result<Message, TemplateError> {
    #[derive(Serialize)]
    struct WithLink<'a, V> {
        #[serde(flatten)]
        values: &'a V,
        unsubscribe_url: Option<&'a str>,
    }
    let unsubscribe_url = to.unsubscribe_url.filter(|_| kind.is_notice());
    let values = WithLink {
        values,
        unsubscribe_url,
    };
    let part = |file: &str| templates.render(&format!("email/{}/{file}", kind.name()), &values);
    let html = part("body.html")?;
    if html.len() > HTML_MAX_BYTES {
        let (size, name) = (html.len(), kind.name());
        let text =
            format!("`email/{name}/body.html` makes {size} bytes; mail readers cut what is over {HTML_MAX_BYTES}");
        return Err(TemplateError::Other(text));
    }
    Ok(Message {
        kind,
        topic,
        recipient: to.address.to_owned(),
        subject: part("subject.txt")?.trim().to_owned(),
        text: format!("{}\n", part("body.txt")?.trim_end()),
        html,
        images: Vec::new(),
        attachments: Vec::new(),
        unsubscribe_url: unsubscribe_url.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::{Breakdowns, Lines, Quality};

    fn headline(key: HeadlineKey, value: f64, week_before: f64) -> Headline {
        let mut last_28_days: Vec<_> = (0..27).map(|day| Some(week_before + f64::from(day % 3))).collect();
        last_28_days.push(Some(value));
        Headline {
            key,
            value: Some(value),
            day_before: Some(week_before),
            week_before: Some(week_before),
            seven_day_mean: Some(week_before),
            mean_28_days: Some(week_before),
            stddev_28_days: Some(week_before * 0.03),
            last_28_days,
        }
    }

    fn report() -> DailyReport {
        DailyReport {
            day: "2025-03-04".parse().unwrap(),
            starts_at: "2025-03-04T00:00:00Z".parse().unwrap(),
            ends_at: "2025-03-05T00:00:00Z".parse().unwrap(),
            timezone: "Europe/London".to_owned(),
            hours_in_day: 24,
            seal_count: 1,
            restatement: None,
            headlines: vec![
                headline(HeadlineKey::Rides, 3412.0, 3046.0),
                headline(HeadlineKey::Riders, 2871.0, 2700.0),
                headline(HeadlineKey::NewRiders, 41.0, 38.0),
                headline(HeadlineKey::DurationSeconds, 5_240_000.0, 4_900_000.0),
                headline(HeadlineKey::EnergyKilojoules, 990_000.0, 900_000.0),
                headline(HeadlineKey::PowerWattsMean, 187.0, 190.0),
                headline(HeadlineKey::HeartRateBpmMean, 141.0, 138.0),
                headline(HeadlineKey::LongestRideSeconds, 5040.0, 5100.0),
                headline(HeadlineKey::PowerWattsMax, 1204.0, 1300.0),
            ],
            rides_per_day: Vec::new(),
            rides_per_hour: Vec::new(),
            breakdowns: Breakdowns::default(),
            quality: Quality {
                alerts: 2,
                lines: Lines {
                    rejected: 12,
                    ..Lines::default()
                },
                ..Quality::default()
            },
        }
    }

    fn daily(report: &DailyReport, page_url: Option<&str>) -> Message {
        let mail = DailyMail {
            report,
            pdf: b"%PDF",
            chart_png: b"png",
            page_url,
            index_url: page_url.map(|_| "https://site.example/index.html"),
        };
        daily_report(&Templates::load(None).unwrap(), &mail, "ceo@deloton.example").unwrap()
    }

    #[test]
    fn the_subject_says_the_day_and_the_one_thing_that_matters() {
        let subject = daily(&report(), None).subject.replace('\u{202f}', " ");
        assert_eq!(subject, "Deloton, Tue 4 Mar: 3,412 rides (▲ 12 %)");
    }

    #[test]
    fn more_alerts_than_usual_are_said_first() {
        let mut alarming = report();
        alarming.quality.alerts = 6;
        alarming.quality.has_many_alerts = true;
        let mail = daily(&alarming, None);
        assert_eq!(
            mail.subject.replace('\u{202f}', " "),
            "Deloton, Tue 4 Mar: 6 heart-rate alerts, 3,412 rides (▲ 12 %)"
        );
        for part in [&mail.text, &mail.html] {
            let warned = part.find("Someone should look into them").unwrap();
            assert!(warned < part.rfind("Rides were high").unwrap(), "{part}");
        }
        assert!(!daily(&report(), None).html.contains("Someone should look"));
    }

    #[test]
    fn every_headline_is_in_the_mail_with_its_change() {
        let report = report();
        let mail = daily(&report, None);
        assert_eq!(report.headlines.len(), 9);
        for headline in &report.headlines {
            let figure = words::figure(headline.key, headline.value);
            let change = |base| words::change(headline, base, report.day).unwrap();
            let (day, week) = (change(words::Base::DayBefore), change(words::Base::WeekBefore));
            let line = format!("{}: {figure} ({day}; {week})", words::label(headline.key));
            assert!(mail.text.contains(&line), "{line} is missing in {}", mail.text);
            let shown = [figure, words::figure_short(headline.key, headline.value)];
            for part in [words::label(headline.key), &day, &week] {
                assert!(mail.html.contains(part), "{part} is missing in {}", mail.html);
            }
            assert!(
                shown.iter().any(|figure| mail.html.contains(figure)),
                "{shown:?} is missing in {}",
                mail.html
            );
        }
    }

    #[test]
    fn every_notice_says_in_both_parts_how_to_get_no_more_of_them() {
        let own = "https://bikes.example/unsubscribe/0f0f";
        let to = To {
            address: "ceo@deloton.example",
            unsubscribe_url: Some(own),
        };
        let templates = Templates::load(None).unwrap();
        let report = report();
        let mail = DailyMail {
            report: &report,
            pdf: b"%PDF",
            chart_png: b"png",
            page_url: None,
            index_url: None,
        };
        let failing = [failed("2025-07-04", GAVE_UP, "no space")];
        let failing = FailureMail {
            failures: &failing,
            timezone: Tz::Europe__London,
            jobs_url: None,
        };
        for mail in [
            daily_report(&templates, &mail, to),
            restatement(&templates, &mail, to),
            heart_rate_alert(&templates, &sample_alert("Ann"), to),
            job_failures(&templates, &failing, to),
        ] {
            let mail = mail.unwrap();
            assert!(mail.html.contains(&format!("href=\"{own}\"")), "{}", mail.html);
            assert!(mail.text.contains(own), "{}", mail.text);
            assert_eq!(mail.unsubscribe_url.as_deref(), Some(own));
            let without = Message {
                unsubscribe_url: None,
                text: mail.text.replace(own, ""),
                html: mail.html.replace(own, ""),
                ..mail.clone()
            };
            assert_eq!(
                mail.content_hash(),
                without.content_hash(),
                "the link is the reader's own"
            );
        }
    }

    #[test]
    fn a_day_without_rides_or_history_says_so() {
        let mut empty = report();
        empty.headlines = vec![Headline {
            value: Some(0.0),
            week_before: None,
            ..headline(HeadlineKey::Rides, 0.0, 0.0)
        }];
        let mail = daily(&empty, None);
        assert_eq!(mail.subject, "Deloton, Tue 4 Mar: no rides");
        assert!(
            mail.text.contains("No rides were recorded on Tuesday 4 March 2025."),
            "{}",
            mail.text
        );
        let mut first = report();
        first.headlines = vec![Headline {
            week_before: None,
            ..headline(HeadlineKey::Rides, 1.0, 0.0)
        }];
        assert_eq!(daily(&first, None).subject, "Deloton, Tue 4 Mar: 1 ride");
    }

    #[test]
    fn text_and_html_carry_the_same_figures_and_the_links() {
        let mail = daily(&report(), Some("https://site.example/2025-03-04/index.html"));
        for part in [&mail.text, &mail.html] {
            for expected in [
                "3,412",
                "187\u{202f}W",
                "Rides were high",
                "2025-03-04/index.html",
                "site.example/index.html",
            ] {
                assert!(part.contains(expected), "{expected} is missing in {part}");
            }
        }
        assert!(mail.html.contains("src=\"cid:chart\"") && mail.html.len() < HTML_MAX_BYTES);
        assert_eq!(mail.images[0].content_id, "chart");
        assert_eq!(mail.attachments[0].name, "deloton-2025-03-04.pdf");
        assert!(!daily(&report(), None).html.contains("<a "), "no site, no links");
    }

    #[test]
    fn what_mail_readers_do_not_show_is_not_used() {
        let mail = daily(&report(), Some("https://site.example/2025-03-04/index.html"));
        for forbidden in [
            "<svg",
            "<style",
            "<link",
            "<script",
            "flex",
            "grid",
            "background-image",
            "data:",
        ] {
            assert!(!mail.html.contains(forbidden), "{forbidden}");
        }
    }

    fn sample_alert(forename: &str) -> HeartRateAlert {
        HeartRateAlert {
            topic: "0181d5ba high 1".to_owned(),
            forename: Some(forename.to_owned()),
            direction: "high",
            heart_rate_bpm: 184,
            sustained_seconds: 12,
            limit_bpm: 178,
            limit_source: "208 − 0.7 × age, at 43 years".to_owned(),
            is_estimate: true,
            raised_at: "2025-07-04T17:00:00Z".parse().unwrap(),
            timezone: "Europe/London".to_owned(),
            sender: "care@deloton.example".to_owned(),
        }
    }

    fn alert(forename: &str) -> Message {
        heart_rate_alert(&Templates::load(None).unwrap(), &sample_alert(forename), "r@x.example").unwrap()
    }

    #[test]
    fn an_alert_says_what_was_measured_the_limit_its_source_and_what_to_do() {
        let mail = alert("Ann");
        for part in [&mail.text, &mail.html] {
            for expected in [
                "Hello Ann,",
                "184\u{202f}bpm",
                "12\u{202f}s",
                "178\u{202f}bpm",
                "208 − 0.7 × age, at 43 years",
                "18:00",
                "What to do",
                "not medical advice",
                "± 10\u{202f}bpm",
                "wrong by about 10",
                "care@deloton.example",
            ] {
                assert!(part.contains(expected), "{expected} is missing in {part}");
            }
        }
        assert!(
            !mail.subject.contains("Ann") && !mail.subject.contains("184"),
            "lock screens show subjects"
        );
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let mail = alert("<img src=x onerror=alert(1)>\"'&");
        assert!(!mail.html.contains("<img"), "{}", mail.html);
        assert!(mail.html.contains("&lt;img src=x"));
        assert!(mail.text.contains("Hello <img src=x onerror=alert(1)>\"'&,"));
    }

    const GAVE_UP: Failing = Failing::GaveUp { attempts: 3, times: 1 };

    fn failed(window: &str, how: Failing, error: &str) -> JobFailure {
        JobFailure {
            job: "publish".to_owned(),
            window: window.parse().unwrap(),
            at: "2025-07-05T00:20:00Z".parse().unwrap(),
            how,
            error: error.to_owned(),
        }
    }

    fn failures(failures: &[JobFailure]) -> Message {
        let mail = FailureMail {
            failures,
            timezone: Tz::Europe__London,
            jobs_url: None,
        };
        job_failures(&Templates::load(None).unwrap(), &mail, "ops@x.example").unwrap()
    }

    #[test]
    fn a_failed_job_says_which_and_how_to_run_it_again() {
        let mail = failures(&[failed(
            "2025-07-04",
            GAVE_UP,
            "the bucket of `s3://x` does not exist <b>",
        )]);
        assert_eq!(mail.subject, "Deloton: job publish failed for 2025-07-04");
        insta::assert_snapshot!(mail.text, @r"
        The job publish failed for 2025-07-04, after 3 attempts, at 01:20 on 2025-07-05 (Europe/London).
        It is not tried again by itself, and what follows it waits.

        the bucket of `s3://x` does not exist <b>

        When the cause is gone:

            deloton run publish --day 2025-07-04

        Further failures of the same job in the next six hours are told together after that.
        ");
        assert!(mail.html.contains("does not exist &lt;b&gt;") && mail.html.contains("--day 2025-07-04"));
    }

    #[test]
    fn a_late_job_says_by_when_it_was_to_be_done_and_how_it_stands() {
        let mail = failures(&[failed("2025-07-04", Failing::Late, "waits for report")]);
        assert_eq!(mail.subject, "Deloton: job publish is late for 2025-07-04");
        insta::assert_snapshot!(mail.text, @r"
        The job publish has not done 2025-07-04, which was to be done by 01:20 on 2025-07-05 (Europe/London).

        waits for report

        What is planned, and why it waits: `deloton plan`. To run it now:

            deloton run publish --day 2025-07-04
        ");
    }

    #[test]
    fn what_ends_with_the_process_again_and_again_is_told() {
        let mail = failures(&[failed(
            "2025-07-04",
            Failing::CutShort { times: 3 },
            "the process ended while this ran",
        )]);
        assert_eq!(mail.subject, "Deloton: job publish was cut short for 2025-07-04");
        insta::assert_snapshot!(mail.text, @r"
        The job publish was cut short for 2025-07-04, 3 times by now, the last time at 01:20 on 2025-07-05 (Europe/London).
        It is tried again by itself, slower each time. Either something restarts the program, or the job takes it down.

        the process ended while this ran

        To run it now:

            deloton run publish --day 2025-07-04

        Further failures of the same job in the next six hours are told together after that.
        ");
    }

    #[test]
    fn many_failures_are_one_mail() {
        let mut all: Vec<_> = (1..=25)
            .map(|day| failed(&format!("2025-06-{day:02}"), GAVE_UP, "no space"))
            .collect();
        all.push(JobFailure {
            job: "send".to_owned(),
            how: Failing::GaveUp {
                attempts: 3,
                times: 700,
            },
            ..failed("2025-07-05T00:19:55Z", GAVE_UP, "refused")
        });
        let mail = failures(&all);
        assert_eq!(mail.subject, "Deloton: 26 failures, of publish, send");
        assert_eq!(mail.text.matches("deloton run publish --day").count(), MOST_FAILURES);
        assert!(mail.text.contains("6 more failures are not listed"), "{}", mail.text);
        let send = failures(&all[25..]);
        assert!(
            send.text.contains("It failed 700 times since the last mail about it"),
            "{}",
            send.text
        );
        assert!(!send.text.contains("--day"), "{}", send.text);
    }
}

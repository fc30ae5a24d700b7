//! How answers are packed: what the caller takes best, by RFC 9110, section 12.5.3.

use poem::{
    Endpoint, IntoResponse as _, Middleware, Request, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Compression, CompressionEndpoint},
    web::{CompressionAlgo, CompressionLevel},
};

use super::problem::{Problem, Raised, kind_of};

/// What there is, the best first.
const CODINGS: [(&str, CompressionAlgo); 2] = [("br", CompressionAlgo::BR), ("gzip", CompressionAlgo::GZIP)];

/// The fastest of Brotli is far behind gzip.
const LEVEL: CompressionLevel = CompressionLevel::Precise(4);

/// Packs answers as their callers take them. Bodies of requests are taken unpacked only: what a small one unpacks to has no
/// limit.
pub(super) struct Encoding;

impl<E: Endpoint> Middleware<E> for Encoding {
    type Output = EncodingEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        let packing = Compression::new()
            .algorithms(CODINGS.map(|(_, algorithm)| algorithm))
            .with_quality(LEVEL);
        EncodingEndpoint {
            packing: packing.transform(inner),
        }
    }
}

/// See [`Encoding`].
pub(super) struct EncodingEndpoint<E: Endpoint> {
    packing: CompressionEndpoint<E>,
}

impl<E: Endpoint> Endpoint for EncodingEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        if let Some(coding) = request
            .header(header::CONTENT_ENCODING)
            .filter(|coding| *coding != "identity")
        {
            let detail = format!("the body is packed with `{coding}`; send it as it is");
            return Err(Raised(Problem::new(kind_of(StatusCode::UNSUPPORTED_MEDIA_TYPE), detail)).into());
        }
        match best(request.headers()) {
            Some(coding) => {
                request
                    .headers_mut()
                    .insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
            }
            None => {
                request.headers_mut().remove(header::ACCEPT_ENCODING);
            }
        }
        // By `Accept` it is a page or data, JSON or CSV.
        let mut response = self.packing.call(request).await?.into_response();
        response
            .headers_mut()
            .append(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
        Ok(response)
    }
}

/// The coding that the caller weighs most, of equal ones the better; none where none is taken.
fn best(headers: &HeaderMap) -> Option<&'static str> {
    let asked = headers.get_all(header::ACCEPT_ENCODING);
    let asked = asked.iter().filter_map(|value| value.to_str().ok());
    let weights: Vec<(&str, f32)> = asked
        .flat_map(|value| value.split(','))
        .filter_map(|part| {
            let (coding, parameter) = part.split_once(';').unwrap_or((part, "q=1"));
            let weight = parameter.trim().strip_prefix("q=")?.trim().parse().ok()?;
            Some((coding.trim(), weight))
        })
        .collect();
    let weight = |wanted: &str| {
        let of = |coding: &str| weights.iter().find(|(asked, _)| asked.eq_ignore_ascii_case(coding));
        of(wanted).or_else(|| of("*")).map_or(0.0, |(_, weight)| *weight)
    };
    CODINGS
        .iter()
        .map(|(coding, _)| (*coding, weight(coding)))
        .rev()
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .filter(|(_, weight)| *weight > 0.0)
        .map(|(coding, _)| coding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_gets_what_it_weighs_most_and_never_what_it_refuses() {
        for (asked, expected) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("br;q=0.5, gzip", Some("gzip")),
            ("GZIP ; q=0.8", Some("gzip")),
            ("gzip;q=0", None),
            ("gzip;q=0, *;q=0.1", Some("br")),
            ("br;q=0, *", Some("gzip")),
            ("*", Some("br")),
            ("*;q=0", None),
            ("identity", None),
            ("zstd", None),
            ("gzip;q=much", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(asked));
            assert_eq!(best(&headers), expected, "{asked}");
        }
        assert_eq!(best(&HeaderMap::new()), None);
    }
}

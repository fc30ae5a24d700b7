//! A file of JSON lines, gzip too, `-` for standard input.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use memchr::memchr;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::RawMessage;
use crate::ingest::parse::MAX_MESSAGE;

/// What a line that is too long is cut into.
const PIECE: usize = MAX_MESSAGE + 1;

/// Editors of other systems begin a file with this mark; it belongs to no line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A file to be read once, from its beginning.
pub struct FileSource {
    path: PathBuf,
    /// Holds standard input while it is read.
    spooled: Option<NamedTempFile>,
    identity: String,
    size_bytes: u64,
}

impl FileSource {
    /// Opens `path`, or spools standard input for `-`. A file is known by the hash of its bytes, so that the same
    /// lines under another name are not taken twice.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let spooled = if path == Path::new("-") {
            let mut file = NamedTempFile::new().context("cannot make a temporary file for standard input")?;
            io::copy(&mut io::stdin().lock(), &mut file).context("cannot read standard input")?;
            file.flush()
                .context("cannot write a temporary file for standard input")?;
            Some(file)
        } else {
            None
        };
        let path = spooled
            .as_ref()
            .map_or_else(|| path.to_owned(), |file| file.path().to_owned());
        let mut hasher = Sha256::new();
        let mut file = File::open(&path).with_context(|| format!("cannot open `{}`", path.display()))?;
        let mut buffer = vec![0; 1 << 20];
        let mut size_bytes = 0;
        loop {
            let read = file
                .read(&mut buffer)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            if read == 0 {
                break;
            }
            size_bytes += read as u64;
            hasher.update(&buffer[..read]);
        }
        let identity = hasher
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(FileSource {
            path,
            spooled,
            identity,
            size_bytes,
        })
    }

    /// What people know it by: the file's name without its folder, or `standard input`.
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.spooled, self.path.file_name()) {
            (None, Some(name)) => name.to_string_lossy().into_owned(),
            _ => "standard input".to_owned(),
        }
    }

    /// Identifies the file's content.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Bytes on disk, compressed or not.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Hands every line to `each`, with the bytes read from disk so far; stops when it says so. A line that is too long
    /// to be one is not held in memory but handed on in pieces, each of them too long as well: none is taken for a line.
    ///
    /// # Errors
    /// When the file cannot be read or decompressed, naming the line; or what `each` failed with.
    pub fn read(&self, mut each: impl FnMut(RawMessage<'_>, u64) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let name = if self.spooled.is_some() {
            "standard input".to_owned()
        } else {
            self.path.display().to_string()
        };
        let file = File::open(&self.path).with_context(|| format!("cannot open `{name}`"))?;
        let counted = Counted {
            inner: file,
            bytes: std::rc::Rc::default(),
        };
        let bytes = std::rc::Rc::clone(&counted.bytes);
        let mut reader = BufReader::with_capacity(1 << 20, counted);
        let is_gzip = reader
            .fill_buf()
            .with_context(|| format!("cannot read `{name}`"))?
            .starts_with(&[0x1f, 0x8b]);
        let mut reader: Box<dyn BufRead> = if is_gzip {
            Box::new(BufReader::with_capacity(1 << 20, MultiGzDecoder::new(reader)))
        } else {
            Box::new(reader)
        };
        let mut offset = 0;
        let mut carried = Vec::new();
        loop {
            let buffer = reader
                .fill_buf()
                .with_context(|| format!("cannot read `{name}` after line {offset}; is it damaged?"))?;
            if buffer.is_empty() {
                break;
            }
            let mut rest = buffer;
            while let Some(end) = memchr(b'\n', rest) {
                let (line, after) = (&rest[..end], &rest[end + 1..]);
                rest = after;
                let line = if carried.is_empty() {
                    line
                } else {
                    carried.extend_from_slice(line);
                    &carried
                };
                if !line.trim_ascii().is_empty() && !each(message(offset, line), bytes.get())? {
                    return Ok(());
                }
                carried.clear();
                offset += 1;
            }
            carried.extend_from_slice(rest);
            let read = buffer.len();
            reader.consume(read);
            while carried.len() >= 2 * PIECE {
                if !each(message(offset, &carried[..PIECE]), bytes.get())? {
                    return Ok(());
                }
                carried.drain(..PIECE);
                offset += 1;
            }
        }
        if !carried.trim_ascii().is_empty() {
            each(message(offset, &carried), bytes.get())?;
        }
        Ok(())
    }
}

fn message(offset: i64, line: &[u8]) -> RawMessage<'_> {
    let line = match offset {
        0 => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
        _ => line,
    };
    RawMessage {
        partition: 0,
        offset,
        timestamp_millis: None,
        key: None,
        payload: line,
    }
}

/// Counts the bytes read, for the progress bar.
struct Counted {
    inner: File,
    bytes: std::rc::Rc<std::cell::Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file of `bytes` hands on.
    fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut lines = Vec::new();
        let read = FileSource::open(file.path()).unwrap().read(|message, _| {
            lines.push(message.payload.to_vec());
            Ok(true)
        });
        read.unwrap();
        lines
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(lines("\u{feff}one\ntwo\n".as_bytes()), [b"one", b"two"]);
        assert_eq!(lines("one\n\u{feff}two".as_bytes())[1], "\u{feff}two".as_bytes());
    }

    #[test]
    fn every_piece_of_a_line_that_is_too_long_is_too_long_itself() {
        for length in [PIECE, 2 * PIECE - 1, 2 * PIECE, 3 * PIECE + 1, 5 << 20] {
            let mut bytes = vec![b'x'; length];
            bytes.extend_from_slice(b"\nfine\n");
            let lines = lines(&bytes);
            let (last, pieces) = lines.split_last().unwrap();
            assert_eq!(last, b"fine");
            assert!(pieces.iter().all(|piece| piece.len() > MAX_MESSAGE), "{length}");
            assert_eq!(pieces.concat().len(), length, "it is kept whole");
        }
    }
}

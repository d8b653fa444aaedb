//! Where bytes come from: files by glob, standard input, plain, gzip or zstd by their first bytes.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use flate2::bufread::MultiGzDecoder;

use super::{config::SourceConfig, error::LogsError};

/// The name of standard input.
pub(super) const STDIN: &str = "-";

const BUFFER_BYTES: usize = 256 * 1024;

/// The files `source` names: sorted, or the one `-`. A path without a match is an error, whether pattern or name.
pub fn source_files(source: &SourceConfig) -> Result<Vec<PathBuf>, LogsError> {
    let plain = source.path == STDIN
        || !source.path.contains(['*', '?', '['])
        || PathBuf::from(&source.path).is_file();
    if plain {
        return Ok(vec![PathBuf::from(&source.path)]);
    }
    let pattern = &source.path;
    let matches =
        glob::glob(pattern).map_err(|error| LogsError::Glob { pattern: pattern.clone(), source: error })?;
    let mut files = Vec::new();
    for file in matches {
        let file =
            file.map_err(|error| LogsError::List { path: error.path().to_owned(), source: error.into() })?;
        if file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(LogsError::NoFiles { pattern: pattern.clone() });
    }
    Ok(files)
}

/// How a source is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

/// Tells the compression by the first bytes; names lie.
pub(super) fn compression(head: &[u8]) -> Compression {
    match head {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        _ => Compression::Plain,
    }
}

/// The decompressed bytes of `file`, adding what is read of the file itself to `bytes_read`.
pub(super) fn open<'n>(file: &str, bytes_read: &'n AtomicU64) -> io::Result<Box<dyn Read + Send + 'n>> {
    let raw: Box<dyn Read + Send> =
        if file == STDIN { Box::new(io::stdin()) } else { Box::new(File::open(file)?) };
    decompress(Watched { raw, bytes_read })
}

fn decompress<'n>(mut raw: impl Read + Send + 'n) -> io::Result<Box<dyn Read + Send + 'n>> {
    let mut head = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut head)?;
    let kind = compression(&head);
    let whole = Cursor::new(head).chain(raw);
    let buffered = BufReader::with_capacity(BUFFER_BYTES, whole);
    Ok(match kind {
        Compression::Plain => Box::new(buffered),
        Compression::Gzip => Box::new(MultiGzDecoder::new(buffered)),
        Compression::Zstd => Box::new(zstd_frames(buffered)?),
    })
}

fn zstd_frames<R: BufRead>(buffered: R) -> io::Result<zstd::stream::read::Decoder<'static, R>> {
    zstd::stream::read::Decoder::with_buffer(buffered)
}

/// Counts what is read, for progress.
struct Watched<'n> {
    raw: Box<dyn Read + Send>,
    bytes_read: &'n AtomicU64,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.raw.read(buffer)?;
        self.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::logs::LogFormat;

    const TEXT: &[u8] = b"one\ntwo\n";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compression_is_told_by_content_and_members_are_joined() {
        let zstd = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
        let twice = TEXT.repeat(2);
        for (raw, text) in [
            (TEXT.to_vec(), TEXT),
            (Vec::new(), &[]),
            (b"x".to_vec(), b"x"),
            (gzip(TEXT), TEXT),
            ([gzip(TEXT), gzip(TEXT)].concat(), twice.as_slice()),
            (zstd(TEXT), TEXT),
            ([zstd(TEXT), zstd(TEXT)].concat(), twice.as_slice()),
        ] {
            let mut read = Vec::new();
            decompress(raw.as_slice()).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, text);
        }
    }

    #[test]
    fn a_glob_gives_files_in_order_and_nothing_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.log", "a.log", "c.txt"] {
            std::fs::write(dir.path().join(name), TEXT).unwrap();
        }
        std::fs::create_dir(dir.path().join("d.log")).unwrap();
        let source =
            |name: &str| SourceConfig::new(dir.path().join(name).to_str().unwrap(), LogFormat::Combined);
        let files = source_files(&source("*.log")).unwrap();
        assert_eq!(files, [dir.path().join("a.log"), dir.path().join("b.log")]);
        let error = source_files(&source("*.gz")).unwrap_err().to_string();
        assert!(error.starts_with("no file matches"), "{error}");
        assert!(matches!(source_files(&source("[.log")), Err(LogsError::Glob { .. })));
        assert_eq!(source_files(&SourceConfig::new("-", LogFormat::Combined)).unwrap(), [PathBuf::from("-")]);
    }
}

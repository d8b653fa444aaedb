//! A page of items and the token that leads to the next.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::ControlError;

/// Items of a page when the asker names no number.
pub const PAGE_SIZE_DEFAULT: u32 = 100;
/// Most items of a page.
pub const PAGE_SIZE_MAX: u32 = 1000;

/// Part of a list. The token is empty on the last page; otherwise it is the `page_token` of the next request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_page_token: String,
}

/// A list that is always given whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Items<T> {
    pub items: Vec<T>,
}

/// How many items to give; 0 is the default.
pub fn page_size(asked: u32) -> Result<u32, ControlError> {
    match asked {
        0 => Ok(PAGE_SIZE_DEFAULT),
        1..=PAGE_SIZE_MAX => Ok(asked),
        _ => {
            Err(ControlError::invalid("page_size", format!("is {asked}; at most {PAGE_SIZE_MAX} are given")))
        }
    }
}

/// Cuts `rows`, read with one more than `size`, to a page; the token is made of the last row that is kept.
pub fn split_page<T>(mut rows: Vec<T>, size: u32, token: impl Fn(&T) -> String) -> (Vec<T>, String) {
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next = rows.last().filter(|_| more).map(token).unwrap_or_default();
    (rows, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_with_a_token_only_when_there_is_more() {
        assert_eq!(split_page(vec![1, 2, 3], 2, ToString::to_string), (vec![1, 2], "2".into()));
        assert_eq!(split_page(vec![1, 2], 2, ToString::to_string), (vec![1, 2], String::new()));
        assert_eq!(split_page(Vec::<u32>::new(), 2, ToString::to_string), (vec![], String::new()));
    }

    #[test]
    fn a_page_has_a_bound() {
        assert_eq!(page_size(0).ok(), Some(PAGE_SIZE_DEFAULT));
        assert_eq!(page_size(PAGE_SIZE_MAX).ok(), Some(PAGE_SIZE_MAX));
        assert!(page_size(PAGE_SIZE_MAX + 1).is_err());
    }
}

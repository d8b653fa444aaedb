//! Defects that are planted on purpose, one at a time, to see whether the proving ground finds them.
//!
//! A line of the program asks `planted!("name")` where a mistake would really be made. Without the feature `planted` that is
//! the literal `false`: the defect is not in the program, and there is nothing that could switch it on. The feature is for
//! `reveille-chaos planted` and its tests; the two programs are never delivered with it. It lives beside the points, for the
//! same reason: both ends have defects, and neither may know the other.

/// Whether this defect is planted: never, in this build.
#[cfg(not(feature = "planted"))]
#[macro_export]
macro_rules! planted {
    ($defect:literal) => {
        false
    };
}

/// Whether this defect is the one that is planted on this thread.
#[cfg(feature = "planted")]
#[macro_export]
macro_rules! planted {
    ($defect:literal) => {
        $crate::planted::is_planted($defect)
    };
}

#[cfg(feature = "planted")]
pub use active::{Planted, is_planted, passed, plant};

#[cfg(feature = "planted")]
mod active {
    use std::{
        cell::{Cell, RefCell},
        collections::BTreeSet,
        marker::PhantomData,
    };

    thread_local! {
        /// Of a thread, as an installation is simulated on one: others may have another defect, or none, at the same time.
        static ACTIVE: Cell<Option<&'static str>> = const { Cell::new(None) };
        /// Whose places were passed.
        static PASSED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
    }

    /// A defect is planted on this thread for as long as this lives.
    #[derive(Debug)]
    pub struct Planted {
        before: Option<&'static str>,
        /// It belongs to its thread.
        stays: PhantomData<*const ()>,
    }

    /// Plants a defect on this thread, in place of another.
    #[must_use]
    pub fn plant(defect: &'static str) -> Planted {
        Planted { before: ACTIVE.replace(Some(defect)), stays: PhantomData }
    }

    /// Whether it is planted on this thread.
    pub fn is_planted(defect: &'static str) -> bool {
        PASSED.with_borrow_mut(|passed| _ = passed.insert(defect));
        ACTIVE.get() == Some(defect)
    }

    /// The defects whose places this thread has passed since this was asked last: the others would have made no difference.
    pub fn passed() -> BTreeSet<&'static str> {
        PASSED.take()
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            ACTIVE.set(self.before);
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(not(feature = "planted"))]
    #[test]
    fn nothing_is_planted_in_an_ordinary_build() {
        // A constant expression: whatever it guards is not compiled into anything.
        const IS_PLANTED: bool = planted!("any");
        assert_eq!(IS_PLANTED.to_string(), "false");
    }

    #[cfg(feature = "planted")]
    #[test]
    fn one_defect_is_planted_on_one_thread_for_a_while() {
        assert!(!planted!("a"));
        let planted = super::plant("a");
        assert!(planted!("a") && !planted!("b"));
        std::thread::scope(|scope| drop(scope.spawn(|| assert!(!planted!("a")))));
        drop(planted);
        assert!(!planted!("a"));
        assert_eq!(super::passed().into_iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(super::passed().is_empty());
    }
}

//! How the allocator of the binaries deals with memory that is not used any more.

/// `mi_option_purge_delay`, in milliseconds: the same number in versions 2 and 3 of mimalloc.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// The allocator gives pages back as soon as nothing is in them. By default it keeps them for a second and then waits for
/// somebody to free something nearby: what a plan for a hundred thousand instances took stays resident for hours.
///
/// To be called first thing in `main`, while there is no other thread.
#[expect(unsafe_code, reason = "the options of mimalloc have no safe interface")]
pub fn give_back_at_once() {
    // SAFETY: The function takes two numbers by value and stores one of them in a table of its own, after checking that
    // the other is below the table's length; it keeps no pointer. It may not be called by two threads at once: by what is
    // said above, there is only one.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
}

#[cfg(test)]
mod tests {
    /// The number of the option is not part of the interface: a version that counts otherwise must be noticed.
    #[test]
    #[expect(unsafe_code, reason = "the options of mimalloc have no safe interface")]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: It takes and returns a number, and reads a table nobody writes to here.
        let delay_ms = unsafe { libmimalloc_sys::mi_option_get(super::PURGE_DELAY) };
        assert!([10, 1000].contains(&delay_ms), "the defaults of its versions, not {delay_ms}");
    }
}

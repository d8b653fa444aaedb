//! Which controller is dialled next, where there are several: whoever does not answer or says no, the next one may.

/// Goes round the addresses, one dial after the other.
#[derive(Debug)]
pub(super) struct Rota {
    at: usize,
    len: usize,
    /// Addresses in a row that said a no that lasts.
    lasting_noes: usize,
}

impl Rota {
    /// `start` spreads a fleet over its controllers.
    pub(super) fn new(len: usize, start: usize) -> Self {
        let len = len.max(1);
        Self { at: start % len, len, lasting_noes: 0 }
    }

    /// Index of the address to dial.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// A session is over, or never began: the next address is up. Returns whether all of them have said, one after the
    /// other, that asking again soon is of no use.
    pub(super) fn turn(&mut self, was_lasting_no: bool) -> bool {
        self.at = (self.at + 1) % self.len;
        self.lasting_noes = if was_lasting_no { self.lasting_noes + 1 } else { 0 };
        if self.lasting_noes < self.len {
            return false;
        }
        self.lasting_noes = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_round_from_its_start() {
        let mut rota = Rota::new(3, 7);
        let dialled = [(); 4].map(|()| {
            let at = rota.at();
            rota.turn(false);
            at
        });
        assert_eq!(dialled, [1, 2, 0, 1]);
    }

    #[test]
    fn only_when_all_have_said_a_lasting_no_is_it_one() {
        let mut alone = Rota::new(1, 0);
        assert!(alone.turn(true) && alone.turn(true) && !alone.turn(false));
        let mut two = Rota::new(2, 0);
        assert!(!two.turn(true), "the other may take it");
        assert!(two.turn(true));
        assert!(!two.turn(true), "and all of them are asked again");
        assert!(!two.turn(false) && !two.turn(true), "one that was merely not there counts anew");
    }
}

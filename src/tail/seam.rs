//! Between any two questions to the file system the world may change, and any of them may fail: here tests let it.
//!
//! A look at files is many questions: a folder is listed, a path is asked for, a file is opened, read, and asked again.
//! Whoever writes and rotates does not wait for the last of them, and a file system that somebody else serves may leave
//! any of them without an answer. Everything in this room that asks passes here first, so that a test can put any event
//! between any two answers, and a failure in the place of any. Outside of tests this is nothing.

/// Called right before the file system is asked something. An error takes the place of the answer.
#[cfg(not(test))]
#[inline]
#[expect(clippy::unnecessary_wraps, reason = "in tests there are errors")]
pub(super) fn pass() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use for_tests::{during, failing, pass};

#[cfg(test)]
mod for_tests {
    use std::cell::RefCell;
    use std::io;

    type World = Box<dyn FnMut()>;
    type Fails = Box<dyn FnMut() -> bool>;

    thread_local! {
        static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
        static FAILS: RefCell<Option<Fails>> = const { RefCell::new(None) };
    }

    /// Called right before the file system is asked something. An error takes the place of the answer.
    pub(crate) fn pass() -> io::Result<()> {
        // What the world does asks the file system, too.
        let world = WORLD.take();
        if let Some(mut world) = world {
            world();
            WORLD.set(Some(world));
        }
        let fails = FAILS.with_borrow_mut(|fails| fails.as_mut().is_some_and(|fails| fails()));
        if fails {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// Does something, with `world` called before each question to the file system.
    pub(crate) fn during<T>(world: impl FnMut() + 'static, act: impl FnOnce() -> T) -> T {
        WORLD.set(Some(Box::new(world)));
        let done = act();
        WORLD.set(None);
        done
    }

    /// Does something, where each question to the file system has no answer if `fails` says so.
    pub(crate) fn failing<T>(fails: impl FnMut() -> bool + 'static, act: impl FnOnce() -> T) -> T {
        FAILS.set(Some(Box::new(fails)));
        let done = act();
        FAILS.set(None);
        done
    }
}

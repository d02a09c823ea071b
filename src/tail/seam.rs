//! Between any two questions to the file system the world may change: here tests let it.
//!
//! A look at files is many questions: a folder is listed, a path is asked for, a file is opened, read, and asked again.
//! Whoever writes and rotates does not wait for the last of them. Everything in this room that asks passes here first,
//! so that a test can put any event between any two answers. Outside of tests this is nothing.

/// Called right before the file system is asked something.
#[cfg(not(test))]
#[inline]
pub(super) fn pass() {}

#[cfg(test)]
pub(super) use for_tests::{during, pass};

#[cfg(test)]
mod for_tests {
    use std::cell::RefCell;

    type World = Box<dyn FnMut()>;

    thread_local! {
        static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
    }

    /// Called right before the file system is asked something.
    pub(crate) fn pass() {
        // What the world does asks the file system, too.
        let world = WORLD.take();
        if let Some(mut world) = world {
            world();
            WORLD.set(Some(world));
        }
    }

    /// Does something, with `world` called before each question to the file system.
    pub(crate) fn during<T>(world: impl FnMut() + 'static, act: impl FnOnce() -> T) -> T {
        WORLD.set(Some(Box::new(world)));
        let done = act();
        WORLD.set(None);
        done
    }
}

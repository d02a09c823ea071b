//! The world goes on while it is looked at: writers and rotators act between any two questions that a look asks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::super::seam;
use super::*;

/// What somebody else does.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// A writer writes a line to the file it has.
    Line(usize),
    /// A writer notices that the log was rotated.
    Open(usize),
    /// The log is renamed away.
    Rename,
    /// There is a new one, and nobody writes to it yet.
    Create,
    /// A file is made that the log is to be copied to.
    Copy,
    /// So much of the log is copied as there is by then.
    Fill,
    /// What was copied, or more, is cut.
    Cut,
}

/// How many questions a look asks before a deed is done.
type Story = Vec<(u8, Deed)>;

/// How names are given to what is put aside.
#[derive(Clone, Copy, Debug)]
enum Names {
    /// The newest is always `app.log.1`.
    Shifted,
    /// Each has its number for good.
    Counted,
}

/// Everybody but us.
struct World {
    dir: PathBuf,
    names: Names,
    /// How often something was put aside.
    count: u32,
    /// The file that each of the writers has.
    files: Vec<Option<File>>,
    /// What each of them wrote to each file that it had, one after the other.
    written: Vec<Vec<Vec<String>>>,
    /// Only the first writer makes new logs: nobody writes to a log before it does.
    one_rotates: bool,
    /// What it is copied to, once that is made, and how much was copied.
    copy: Option<(File, u64)>,
}

impl World {
    fn new(dir: &Path, names: Names, one_rotates: bool) -> Self {
        Self {
            dir: dir.to_owned(),
            names,
            count: 0,
            files: (0..2).map(|_| None).collect(),
            written: vec![Vec::new(); 2],
            one_rotates,
            copy: None,
        }
    }

    fn log(&self) -> PathBuf {
        self.dir.join("app.log")
    }

    /// A name for what is put aside now.
    fn aside(&mut self) -> PathBuf {
        self.count += 1;
        let name = |number| self.dir.join(format!("app.log.{number}"));
        match self.names {
            Names::Counted => name(self.count),
            Names::Shifted => {
                for number in (1..self.count).rev() {
                    fs::rename(name(number), name(number + 1)).unwrap();
                }
                name(1)
            }
        }
    }

    fn open(&self) -> File {
        // Two generations are never born in one tick of the clock.
        std::thread::sleep(Duration::from_millis(if self.log().exists() { 0 } else { 9 }));
        let mut options = OpenOptions::new();
        options.append(true).create(true).open(self.log()).unwrap()
    }

    /// A writer takes the log that is there, or makes one.
    fn take(&mut self, writer: usize) {
        if self.log().exists() || writer == 0 || !self.one_rotates {
            self.files[writer] = Some(self.open());
            self.written[writer].push(Vec::new());
        }
    }

    fn write(&mut self, writer: usize) {
        if self.files[writer].is_none() {
            self.take(writer);
        }
        let number = self.written[writer].iter().map(Vec::len).sum::<usize>();
        let series = self.written[writer].len();
        if let (Some(file), Some(written)) = (&mut self.files[writer], self.written[writer].last_mut()) {
            let line = format!("{writer}.{series}:{number} and so much more that it is no short line\n");
            file.write_all(line.as_bytes()).unwrap();
            written.push(line);
        }
    }

    fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Line(writer) => self.write(writer),
            Deed::Open(writer) => self.take(writer),
            Deed::Create => {
                if !self.one_rotates {
                    drop(self.open());
                }
            }
            Deed::Rename => {
                if self.log().exists() {
                    let aside = self.aside();
                    fs::rename(self.log(), aside).unwrap();
                }
            }
            Deed::Copy => {
                if self.copy.is_none() && fs::metadata(self.log()).is_ok_and(|meta| meta.len() > 0) {
                    std::thread::sleep(Duration::from_millis(9));
                    let aside = self.aside();
                    self.copy = Some((File::create(aside).unwrap(), 0));
                }
            }
            Deed::Fill => self.fill(),
            Deed::Cut => {
                if self.copy.as_ref().is_some_and(|(_, copied)| *copied > 0) {
                    self.copy = None;
                    let mut options = OpenOptions::new();
                    options.write(true).open(self.log()).unwrap().set_len(0).unwrap();
                }
            }
        }
    }

    fn fill(&mut self) {
        if let Some((copy, copied)) = &mut self.copy {
            let log = fs::read(self.dir.join("app.log")).unwrap();
            let rest = &log[usize::try_from(*copied).unwrap()..];
            copy.write_all(rest).unwrap();
            *copied = log.len() as u64;
        }
    }

    /// Every line that still stands in a file.
    fn on_disk(&self) -> Vec<String> {
        let files = fs::read_dir(&self.dir).unwrap();
        let text = |file: std::io::Result<fs::DirEntry>| fs::read_to_string(file.unwrap().path()).unwrap();
        files
            .flat_map(|file| {
                text(file)
                    .split_inclusive('\n')
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// Looks once while all of this happens; what it asks too few questions for happens afterwards.
fn look(rig: &mut Rig, world: &Rc<RefCell<World>>, story: Story) {
    let left: Rc<RefCell<VecDeque<_>>> = Rc::new(RefCell::new(story.into()));
    let (theirs, queue) = (world.clone(), left.clone());
    let happen = move || {
        let mut queue = queue.borrow_mut();
        while let Some((questions, deed)) = queue.front_mut() {
            if *questions > 0 {
                *questions -= 1;
                return;
            }
            theirs.borrow_mut().act(*deed);
            queue.pop_front();
        }
    };
    seam::during(happen, || {
        rig.after(1);
    });
    for (_, deed) in left.take() {
        world.borrow_mut().act(deed);
    }
}

fn story(deed: impl Strategy<Value = Deed>) -> impl Strategy<Value = Story> {
    prop::collection::vec((0u8..12, deed), 0..8)
}

fn renaming() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0usize..2).prop_map(Deed::Line),
        2 => (0usize..2).prop_map(Deed::Open),
        2 => Just(Deed::Rename),
        1 => Just(Deed::Create),
    ]
}

fn copying() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0usize..2).prop_map(Deed::Line),
        2 => Just(Deed::Copy),
        3 => Just(Deed::Fill),
        3 => Just(Deed::Cut),
    ]
}

fn names() -> impl Strategy<Value = Names> {
    prop_oneof![Just(Names::Shifted), Just(Names::Counted)]
}

/// Plays it from a first line that was read, and lets everything be read in the end.
fn play(rig: &mut Rig, world: World, stories: Vec<Story>) -> World {
    let world = Rc::new(RefCell::new(world));
    world.borrow_mut().act(Deed::Line(0));
    rig.turn();
    for story in stories {
        look(rig, &world, story);
    }
    (0..15).for_each(|_| {
        rig.after(1);
    });
    Rc::into_inner(world).unwrap().into_inner()
}

/// What came of the lines that begin like this, in the order in which it came.
fn came(rig: &Rig, begin: &str) -> Vec<String> {
    let lines = rig.lines().into_iter().filter(|line| line.starts_with(begin));
    lines.map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.div_ceil(4), ..ProptestConfig::default() })]

    #[test]
    fn what_is_renamed_while_it_is_looked_at_comes_once_and_in_order(
        stories in prop::collection::vec(story(renaming()), 1..12),
        names in names(),
        one_rotates in any::<bool>(),
        rotated_are_reached in any::<bool>(),
    ) {
        let mut rig = Rig::new(if rotated_are_reached { &["app.log*"] } else { &["app.log"] });
        let world = World::new(rig.dir.path(), names, one_rotates);
        let world = play(&mut rig, world, stories);
        for (writer, series) in world.written.iter().enumerate() {
            for (index, written) in series.iter().enumerate() {
                prop_assert_eq!(&came(&rig, &format!("{writer}.{}:", index + 1)), written);
            }
        }
        if one_rotates && !rotated_are_reached {
            prop_assert_eq!(came(&rig, "0."), world.written[0].concat());
        }
        prop_assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
    }

    #[test]
    fn what_is_copied_and_cut_while_it_is_looked_at_comes_once_and_in_order(
        stories in prop::collection::vec(story(copying()), 1..12),
        names in names(),
        copies_are_reached in any::<bool>(),
    ) {
        let mut rig = Rig::new(if copies_are_reached { &["app.log*"] } else { &["app.log"] });
        let world = World::new(rig.dir.path(), names, false);
        let world = play(&mut rig, world, stories);
        let kept = world.on_disk();
        let mut lost = 0;
        for (writer, series) in world.written.iter().enumerate() {
            let (got, written) = (came(&rig, &format!("{writer}.")), series.concat());
            let in_order: Vec<String> = written.iter().filter(|line| got.contains(line)).cloned().collect();
            prop_assert_eq!(&got, &in_order, "doubled or out of order");
            let missing = written.iter().filter(|line| !got.contains(line));
            let owed: Vec<&String> = missing.clone().filter(|line| kept.contains(line)).collect();
            prop_assert!(owed.is_empty(), "{:?} stand in a file", owed);
            lost += missing.count();
        }
        prop_assert!(lost == 0 || !rig.gaps.is_empty(), "{} lines were destroyed, and nobody was told", lost);
    }
}

#[test]
fn what_a_cut_left_in_a_copy_is_read_after_a_crash_that_comes_before_the_copy_was_found() {
    for question in 0..40 {
        let mut rig = Rig::new(&["app.log"]);
        rig.append("app.log", "one line and no more\n");
        rig.turn().append("app.log", "two\n");
        fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
        rig.append("app.log", "").set_len(0).unwrap();
        let (from, to) = (rig.path("app.log.1"), rig.path("app.log.2"));
        let mut asked = 0;
        let shift = move || {
            if asked == question {
                fs::rename(&from, &to).unwrap();
            }
            asked += 1;
        };
        seam::during(shift, || {
            rig.after(1);
        });
        rig.kill().after(1).after(1);
        assert_eq!(rig.lines(), ["one line and no more\n", "two\n"], "{question}");
    }
}

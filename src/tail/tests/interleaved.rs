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
    /// One of those that were put aside moves up to make room for the newest, where none is left to move: a file is made
    /// that the log is to be copied to.
    Copy,
    /// So much of the log is copied as there is by then.
    Fill,
    /// Half of that.
    Half,
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
    /// The next of those put aside that moves up, while one after the other does.
    moving: Option<u32>,
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
            moving: None,
            copy: None,
        }
    }

    fn log(&self) -> PathBuf {
        self.dir.join("app.log")
    }

    /// A name for what is put aside now.
    fn aside(&mut self) -> PathBuf {
        while self.moves_up() {}
        self.count += 1;
        self.moving = None;
        self.name(match self.names {
            Names::Counted => self.count,
            Names::Shifted => 1,
        })
    }

    fn name(&self, number: u32) -> PathBuf {
        self.dir.join(format!("app.log.{number}"))
    }

    /// One of those put aside moves up; false where none is left to move.
    fn moves_up(&mut self) -> bool {
        let last = self.moving.unwrap_or(self.count);
        let moves = matches!(self.names, Names::Shifted) && last > 0;
        if moves {
            fs::rename(self.name(last), self.name(last + 1)).unwrap();
            self.moving = Some(last - 1);
        }
        moves
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
                if self.copy.is_none() && self.is_filled() && !self.moves_up() {
                    std::thread::sleep(Duration::from_millis(9));
                    let aside = self.aside();
                    self.copy = Some((File::create(aside).unwrap(), 0));
                }
            }
            Deed::Fill => self.fill(1),
            Deed::Half => self.fill(2),
            Deed::Cut => {
                if self.has_copied_lines() {
                    self.copy = None;
                    let mut options = OpenOptions::new();
                    options.write(true).open(self.log()).unwrap().set_len(0).unwrap();
                }
            }
        }
    }

    fn is_filled(&self) -> bool {
        fs::metadata(self.log()).is_ok_and(|meta| meta.len() > 0)
    }

    /// Whether the copy ends where the log ended at some time.
    fn has_copied_lines(&self) -> bool {
        self.copy.as_ref().is_some_and(|(_, copied)| {
            let log = fs::read(self.log()).unwrap();
            log[..usize::try_from(*copied).unwrap()].ends_with(b"\n")
        })
    }

    /// This part of what was not copied yet is.
    fn fill(&mut self, part: usize) {
        if let Some((copy, copied)) = &mut self.copy {
            let log = fs::read(self.dir.join("app.log")).unwrap();
            let rest = &log[usize::try_from(*copied).unwrap()..];
            let rest = &rest[..rest.len() / part];
            copy.write_all(rest).unwrap();
            *copied += rest.len() as u64;
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
        4 => Just(Deed::Copy),
        3 => Just(Deed::Fill),
        2 => Just(Deed::Half),
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

/// Plays these looks over a log alone or with what is put aside, at each of the first questions, and has what the first
/// writer wrote come in its order.
fn comes_in_order_at_each_question(globs: &[&str], names: Names, stories: impl Fn(u8) -> Vec<Story>) {
    for question in 0..40 {
        let mut rig = Rig::new(globs);
        let world = World::new(rig.dir.path(), names, true);
        let world = play(&mut rig, world, stories(question));
        let kept = world.on_disk();
        let mut owed = world.written[0].concat();
        owed.retain(|line| kept.contains(line));
        let mut came = came(&rig, "0.");
        came.retain(|line| kept.contains(line));
        assert_eq!(came, owed, "at question {question}");
    }
}

#[test]
fn a_copy_of_what_was_cut_again_before_it_was_read_comes_before_what_was_written_then() {
    let copied = vec![(0, Deed::Copy), (0, Deed::Fill)];
    let cut = vec![(0, Deed::Cut)];
    let line = vec![(5, Deed::Line(0))];
    comes_in_order_at_each_question(&["app.log*"], Names::Counted, |question| {
        let again = vec![
            (question, Deed::Copy),
            (2, Deed::Fill),
            (22, Deed::Cut),
            (0, Deed::Line(0)),
        ];
        vec![copied.clone(), cut.clone(), line.clone(), again]
    });
}

#[test]
fn a_generation_that_moves_while_it_is_looked_for_comes_before_the_younger_one() {
    comes_in_order_at_each_question(&["app.log"], Names::Shifted, |question| {
        vec![
            vec![(0, Deed::Rename), (2, Deed::Open(0)), (0, Deed::Line(0))],
            vec![(question, Deed::Rename), (0, Deed::Open(0)), (0, Deed::Rename)],
            vec![(0, Deed::Line(0))],
        ]
    });
}

//! The numbers that functions make system calls with.
//!
//! A function is followed block by block; a register or a place on the stack holds a small set of values: constants,
//! what the function was called with, addresses on the stack. Where a call's number is what the function was called
//! with, the function is a wrapper, and its callers are followed in turn.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::isa::{Effect, Flow, Isa, REGISTERS, Reference, Register, Source};

/// The largest number of values of one place.
const MOST_VALUES: usize = 12;
/// The largest number of sets of values of one function: tens of times what the largest functions have.
const MOST_SETS: usize = 1 << 17;
/// The largest number of blocks that are visited of one function, and of places on its stack.
pub(super) const MOST_VISITS: usize = 20_000;
const MOST_PLACES: usize = 128;
/// The longest function that is followed, in bytes.
pub(super) const LONGEST: usize = 200_000;

/// The place in which a function finds an argument: a register, or an offset from the stack pointer at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Argument {
    /// A register.
    Register(Register),
    /// A place on the stack.
    Stack(i64),
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Value {
    Constant(i64),
    Argument(Argument),
    /// An offset from the stack pointer at the function's start.
    Stack(i64),
}

/// The values that a place may hold: an index into [`Sets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Values(u32);

/// Values that are not known.
const UNKNOWN: Values = Values(u32::MAX);

/// The sets of values of one function, each once: its states are many, and differ in a few places.
#[derive(Default)]
struct Sets {
    /// Sorted values.
    all: Vec<Rc<[Value]>>,
    known: HashMap<Rc<[Value]>, u32>,
}

impl Sets {
    /// Returns the values of a set; none if they are not known.
    fn get(&self, values: Values) -> Option<&[Value]> {
        self.all.get(values.0 as usize).map(AsRef::as_ref)
    }

    /// Returns the set of these values; more than are followed are unknown.
    fn of(&mut self, mut values: Vec<Value>) -> Values {
        values.sort_unstable();
        values.dedup();
        if values.len() > MOST_VALUES {
            return UNKNOWN;
        }
        if let Some(found) = self.known.get(values.as_slice()) {
            return Values(*found);
        }
        if self.all.len() >= MOST_SETS {
            return UNKNOWN;
        }
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let values: Rc<[Value]> = values.into();
        self.all.push(values.clone());
        self.known.insert(values, next);
        Values(next)
    }

    /// Returns the set of one value.
    fn one(&mut self, value: Value) -> Values {
        self.of(vec![value])
    }

    /// Joins two sets.
    fn join(&mut self, a: Values, b: Values) -> Values {
        if a == b {
            return a;
        }
        match (self.get(a), self.get(b)) {
            (Some(a), Some(b)) => self.of([a, b].concat()),
            _ => UNKNOWN,
        }
    }

    /// Returns what `each` makes of every value; unknown if it cannot of one.
    fn mapped(&mut self, values: Values, each: impl Fn(Value) -> Option<Value>) -> Values {
        let mapped = self
            .get(values)
            .and_then(|values| values.iter().map(|value| each(*value)).collect());
        mapped.map_or(UNKNOWN, |mapped| self.of(mapped))
    }
}

/// What is known before an instruction.
#[derive(Clone)]
struct State {
    registers: [Values; REGISTERS],
    /// Written places, by their offset from the stack pointer at the function's start.
    stack: BTreeMap<i64, Values>,
}

/// The numbers of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// The numbers.
    pub(super) numbers: BTreeSet<u32>,
    /// The arguments that are numbers.
    pub(super) arguments: BTreeSet<Argument>,
    /// Number of system calls whose number is not known.
    pub(super) unresolved: u32,
    /// Number of blocks that were visited.
    pub(super) visits: usize,
}

impl State {
    fn at_start<I: Isa>(sets: &mut Sets) -> Self {
        let mut state = Self::unknown();
        for (register, values) in (0..).zip(&mut state.registers) {
            *values = sets.one(Value::Argument(Argument::Register(register)));
        }
        state.set(I::STACK, sets.one(Value::Stack(0)));
        state
    }

    fn unknown() -> Self {
        Self {
            registers: [UNKNOWN; REGISTERS],
            stack: BTreeMap::new(),
        }
    }

    fn register(&self, register: Register) -> Values {
        self.registers
            .get(usize::from(register))
            .copied()
            .unwrap_or(UNKNOWN)
    }

    fn set(&mut self, register: Register, values: Values) {
        if let Some(place) = self.registers.get_mut(usize::from(register)) {
            *place = values;
        }
    }

    fn forget(&mut self, bits: u32) {
        for register in 0..32 {
            if bits >> register & 1 == 1 {
                self.set(register, UNKNOWN);
            }
        }
    }

    /// The value of a place on the stack that nothing was written to is the caller's.
    fn place(&self, sets: &mut Sets, offset: i64) -> Values {
        match self.stack.get(&offset) {
            Some(values) => *values,
            None if offset > 0 => sets.one(Value::Argument(Argument::Stack(offset))),
            None => UNKNOWN,
        }
    }

    /// Returns the one offset from the start's stack pointer that a register and an offset lead to.
    fn offset(&self, sets: &Sets, base: Register, offset: i64) -> Option<i64> {
        match sets.get(self.register(base))? {
            [Value::Stack(at)] => Some(at.wrapping_add(offset)),
            _ => None,
        }
    }

    fn store(&mut self, offset: i64, values: Values) {
        if self.stack.len() < MOST_PLACES || self.stack.contains_key(&offset) {
            self.stack.insert(offset, values);
        }
    }

    fn value(&self, sets: &mut Sets, source: Source) -> Values {
        match source {
            Source::Constant(value) => sets.one(Value::Constant(value)),
            Source::Register(register) => self.register(register),
            Source::Sum(register, value) => sets.mapped(self.register(register), |old| match old {
                Value::Constant(old) => Some(Value::Constant(old.wrapping_add(value))),
                Value::Stack(old) => Some(Value::Stack(old.wrapping_add(value))),
                Value::Argument(_) => None,
            }),
            Source::Memory(base, offset) => match self.offset(sets, base, offset) {
                Some(offset) => self.place(sets, offset),
                None => UNKNOWN,
            },
            Source::Unknown => UNKNOWN,
        }
    }

    /// Moves the stack pointer.
    fn move_stack<I: Isa>(&mut self, sets: &mut Sets, by: i64) {
        let moved = self.value(sets, Source::Sum(I::STACK, by));
        self.set(I::STACK, moved);
    }

    fn apply<I: Isa>(&mut self, sets: &mut Sets, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Set(register, source) => {
                let values = self.value(sets, source);
                self.set(register, values);
            }
            Effect::SetLow(register, bytes, value) => {
                let mask = if bytes >= 2 { 0xffff } else { 0xff };
                let values = sets.mapped(self.register(register), |old| match old {
                    Value::Constant(old) => Some(Value::Constant(old & !mask | value & mask)),
                    _ => None,
                });
                self.set(register, values);
            }
            Effect::MaySet(register, source) => {
                let values = self.value(sets, source);
                let values = sets.join(self.register(register), values);
                self.set(register, values);
            }
            Effect::Store(base, offset, source) => {
                if let Some(offset) = self.offset(sets, base, offset) {
                    let values = self.value(sets, source);
                    self.store(offset, values);
                }
            }
            Effect::Push(source) => {
                let values = self.value(sets, source);
                self.move_stack::<I>(sets, -8);
                if let Some(offset) = self.offset(sets, I::STACK, 0) {
                    self.store(offset, values);
                }
            }
            Effect::Pop(register) => {
                let values = self.value(sets, Source::Memory(I::STACK, 0));
                self.move_stack::<I>(sets, 8);
                self.set(register, values);
            }
            Effect::Forget(bits) => self.forget(bits),
        }
    }

    /// Joins another state into this; returns whether anything changed.
    fn join(&mut self, sets: &mut Sets, other: &Self) -> bool {
        let mut changed = false;
        let mut join = |sets: &mut Sets, mine: &mut Values, theirs: Values| {
            let joined = sets.join(*mine, theirs);
            changed |= joined != *mine;
            *mine = joined;
        };
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            join(sets, mine, *theirs);
        }
        for (offset, mine) in &mut self.stack {
            let theirs = other.place(sets, *offset);
            join(sets, mine, theirs);
        }
        for (offset, theirs) in &other.stack {
            if !self.stack.contains_key(offset) {
                let mut mine = self.place(sets, *offset);
                join(sets, &mut mine, *theirs);
                self.stack.insert(*offset, mine);
            }
        }
        changed
    }
}

/// What the calls of a function lead to.
pub(super) struct Wrappers<'w> {
    /// The arguments that are numbers, by the start of the function that finds them.
    pub(super) known: &'w HashMap<u64, BTreeSet<Argument>>,
    /// Returns the start of the function that a slot in memory leads to.
    pub(super) slot: &'w dyn Fn(u64) -> Option<u64>,
}

/// Follows the function whose instructions are `code`, from `start`.
pub(super) fn follow<I: Isa>(code: &[u8], start: u64, wrappers: &Wrappers<'_>) -> Numbers
where
    I::Instruction: Clone,
{
    let mut instructions: Vec<I::Instruction> = Vec::new();
    I::decode(code, start, |instruction| {
        instructions.push(instruction.clone());
        true
    });
    let end = start.saturating_add(code.len() as u64);
    let inside = |address: u64| (start..end).contains(&address);
    let index: HashMap<u64, usize> = instructions
        .iter()
        .enumerate()
        .map(|(index, instruction)| (I::address(instruction), index))
        .collect();
    let mut leaders = BTreeSet::from([0]);
    for (at, instruction) in instructions.iter().enumerate() {
        let flow = I::flow(instruction);
        if let Flow::Jump(target) | Flow::Branch(target) = flow
            && let Some(&target) = index.get(&target)
        {
            leaders.insert(target);
        }
        if matches!(flow, Flow::Branch(_)) {
            leaders.insert(at + 1);
        }
        if matches!(flow, Flow::Jump(_) | Flow::JumpIndirect | Flow::Stop) {
            // What fills the gap is never executed, and must not be taken for what a table leads to.
            let rest = instructions.iter().enumerate().skip(at + 1);
            leaders.extend(
                rest.map(|(at, i)| (at, I::is_padding(i)))
                    .find(|(_, padding)| !padding)
                    .map(|(at, _)| at),
            );
        }
    }
    leaders.remove(&instructions.len());

    let mut sets = Sets::default();
    let sets = &mut sets;
    let mut before: BTreeMap<usize, State> = BTreeMap::from([(0, State::at_start::<I>(sets))]);
    let mut sites: BTreeMap<usize, Values> = BTreeMap::new();
    let mut todo = BTreeSet::from([0]);
    let mut visits = 0;
    let mut left = leaders.iter();
    loop {
        let Some(leader) = todo.pop_first() else {
            // What only a table leads to is entered knowing nothing.
            let Some(&left) = left.find(|leader| !before.contains_key(leader)) else {
                break;
            };
            before.insert(left, State::unknown());
            todo.insert(left);
            continue;
        };
        visits += 1;
        if visits > MOST_VISITS {
            break;
        }
        let Some(mut state) = before.get(&leader).cloned() else {
            continue;
        };
        let mut next = Vec::new();
        let mut at = leader;
        while let Some(instruction) = instructions.get(at) {
            let flow = I::flow(instruction);
            let callee = match flow {
                Flow::Call(target) | Flow::Jump(target) | Flow::Branch(target) if !inside(target) => {
                    Some(target)
                }
                Flow::Call(target) if target == start => Some(target),
                Flow::CallIndirect | Flow::JumpIndirect => {
                    let mut target = None;
                    I::references(instruction, false, |reference| {
                        if let Reference::Loaded(slot) = reference {
                            target = (wrappers.slot)(slot);
                        }
                    });
                    target
                }
                _ => None,
            };
            if let Some(arguments) = callee.and_then(|callee| wrappers.known.get(&callee)) {
                let pushed = if matches!(flow, Flow::Call(_) | Flow::CallIndirect) {
                    I::CALL_PUSHES
                } else {
                    0
                };
                let mut values = sets.of(Vec::new());
                for argument in arguments {
                    let value = match argument {
                        Argument::Register(register) => state.register(*register),
                        Argument::Stack(offset) => {
                            state.value(sets, Source::Memory(I::STACK, offset.wrapping_sub(pushed)))
                        }
                    };
                    values = sets.join(values, value);
                }
                sites.insert(at, values);
            }
            match flow {
                Flow::System => {
                    sites.insert(at, state.register(I::NUMBER));
                    state.forget(I::LOST_BY_SYSTEM);
                }
                Flow::Call(_) | Flow::CallIndirect => state.forget(I::LOST_BY_CALL),
                Flow::Next | Flow::Branch(_) | Flow::Jump(_) | Flow::JumpIndirect | Flow::Stop => {}
            }
            if flow == Flow::Next {
                state.apply::<I>(sets, I::effect(instruction));
            }
            if let Flow::Jump(target) | Flow::Branch(target) = flow
                && let Some(&target) = index.get(&target)
            {
                next.push(target);
            }
            at += 1;
            if matches!(flow, Flow::Jump(_) | Flow::JumpIndirect | Flow::Stop) {
                break;
            }
            if leaders.contains(&at) {
                next.push(at);
                break;
            }
        }
        for leader in next {
            let changed = match before.get_mut(&leader) {
                Some(known) => known.join(sets, &state),
                None => {
                    before.insert(leader, state.clone());
                    true
                }
            };
            if changed {
                todo.insert(leader);
            }
        }
    }
    summed(sites.into_values().map(|values| sets.get(values)), visits)
}

fn summed<'s>(sites: impl Iterator<Item = Option<&'s [Value]>>, visits: usize) -> Numbers {
    let mut found = Numbers {
        unresolved: u32::from(visits > MOST_VISITS),
        visits,
        ..Numbers::default()
    };
    for values in sites {
        let Some(values) = values else {
            found.unresolved += 1;
            continue;
        };
        for &value in values {
            match value {
                // The kernel looks at 32 bits of it.
                Value::Constant(value) => {
                    found.numbers.insert(value as u32);
                }
                Value::Argument(argument) => {
                    found.arguments.insert(argument);
                }
                Value::Stack(_) => found.unresolved += 1,
            }
        }
    }
    found
}

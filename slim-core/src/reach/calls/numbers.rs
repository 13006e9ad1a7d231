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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Constant(i64),
    Argument(Argument),
    /// An offset from the stack pointer at the function's start.
    Stack(i64),
}

/// The values that a place may hold, sorted; none if they are not known. Shared, since most of a state stays as it is from
/// block to block.
type Values = Option<Rc<[Value]>>;

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

fn one(value: Value) -> Values {
    Some(Rc::new([value]))
}

/// Joins two sets; more values than are followed are unknown.
fn join(a: &Values, b: &Values) -> Values {
    let (a, b) = (a.as_ref()?, b.as_ref()?);
    if Rc::ptr_eq(a, b) || b.iter().all(|value| a.contains(value)) {
        return Some(a.clone());
    }
    let mut joined = [a.as_ref(), b.as_ref()].concat();
    joined.sort_unstable();
    joined.dedup();
    (joined.len() <= MOST_VALUES).then(|| joined.into())
}

/// Returns whether two sets are equal.
fn same(a: &Values, b: &Values) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Rc::ptr_eq(a, b) || a == b,
        (None, None) => true,
        _ => false,
    }
}

/// Returns what `each` makes of every value; none if it cannot of one.
fn mapped(values: &Values, each: impl Fn(Value) -> Option<Value>) -> Values {
    let mut mapped = values
        .as_ref()?
        .iter()
        .map(|value| each(*value))
        .collect::<Option<Vec<_>>>()?;
    mapped.sort_unstable();
    mapped.dedup();
    Some(mapped.into())
}

impl State {
    fn at_start<I: Isa>() -> Self {
        let mut registers: [Values; REGISTERS] = std::array::from_fn(|register| {
            let register = Register::try_from(register).ok()?;
            one(Value::Argument(Argument::Register(register)))
        });
        registers[usize::from(I::STACK)] = one(Value::Stack(0));
        Self {
            registers,
            stack: BTreeMap::new(),
        }
    }

    fn unknown<I: Isa>() -> Self {
        let mut state = Self {
            registers: std::array::from_fn(|_| None),
            stack: BTreeMap::new(),
        };
        state.registers[usize::from(I::STACK)] = None;
        state
    }

    fn register(&self, register: Register) -> &Values {
        self.registers.get(usize::from(register)).unwrap_or(&None)
    }

    fn set(&mut self, register: Register, values: Values) {
        if let Some(place) = self.registers.get_mut(usize::from(register)) {
            *place = values;
        }
    }

    fn forget(&mut self, bits: u32) {
        for register in 0..32 {
            if bits >> register & 1 == 1 {
                self.set(register, None);
            }
        }
    }

    /// The value of a place on the stack that nothing was written to is the caller's.
    fn place(&self, offset: i64) -> Values {
        match self.stack.get(&offset) {
            Some(values) => values.clone(),
            None if offset > 0 => one(Value::Argument(Argument::Stack(offset))),
            None => None,
        }
    }

    /// Returns the one offset from the start's stack pointer that a register and an offset lead to.
    fn offset(&self, base: Register, offset: i64) -> Option<i64> {
        let values = self.register(base).as_ref()?;
        let mut values = values.iter();
        match (values.next(), values.next()) {
            (Some(Value::Stack(at)), None) => Some(at.wrapping_add(offset)),
            _ => None,
        }
    }

    fn store(&mut self, offset: i64, values: Values) {
        if self.stack.len() < MOST_PLACES || self.stack.contains_key(&offset) {
            self.stack.insert(offset, values);
        }
    }

    fn value(&self, source: Source) -> Values {
        match source {
            Source::Constant(value) => one(Value::Constant(value)),
            Source::Register(register) => self.register(register).clone(),
            Source::Sum(register, value) => mapped(self.register(register), |old| match old {
                Value::Constant(old) => Some(Value::Constant(old.wrapping_add(value))),
                Value::Stack(old) => Some(Value::Stack(old.wrapping_add(value))),
                Value::Argument(_) => None,
            }),
            Source::Memory(base, offset) => self.place(self.offset(base, offset)?),
            Source::Unknown => None,
        }
    }

    fn apply<I: Isa>(&mut self, effect: Effect) {
        let down = |state: &mut Self, by: i64| {
            let moved = state.value(Source::Sum(I::STACK, by));
            state.set(I::STACK, moved);
        };
        match effect {
            Effect::None => {}
            Effect::Set(register, source) => {
                let values = self.value(source);
                self.set(register, values);
            }
            Effect::SetLow(register, bytes, value) => {
                let mask = if bytes >= 2 { 0xffff } else { 0xff };
                let values = mapped(self.register(register), |old| match old {
                    Value::Constant(old) => Some(Value::Constant(old & !mask | value & mask)),
                    _ => None,
                });
                self.set(register, values);
            }
            Effect::MaySet(register, source) => {
                let values = join(self.register(register), &self.value(source));
                self.set(register, values);
            }
            Effect::Store(base, offset, source) => {
                if let Some(offset) = self.offset(base, offset) {
                    let values = self.value(source);
                    self.store(offset, values);
                }
            }
            Effect::Push(source) => {
                let values = self.value(source);
                down(self, -8);
                if let Some(offset) = self.offset(I::STACK, 0) {
                    self.store(offset, values);
                }
            }
            Effect::Pop(register) => {
                let values = self.value(Source::Memory(I::STACK, 0));
                down(self, 8);
                self.set(register, values);
            }
            Effect::Forget(bits) => self.forget(bits),
        }
    }

    /// Joins another state into this; returns whether anything changed.
    fn join(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            if !same(mine, theirs) {
                let joined = join(mine, theirs);
                changed |= !same(&joined, mine);
                *mine = joined;
            }
        }
        for (offset, mine) in &mut self.stack {
            let theirs = other.place(*offset);
            if !same(mine, &theirs) {
                let joined = join(mine, &theirs);
                changed |= !same(&joined, mine);
                *mine = joined;
            }
        }
        for (offset, theirs) in &other.stack {
            if !self.stack.contains_key(offset) {
                let mine = self.place(*offset);
                let joined = join(&mine, theirs);
                changed |= !same(&joined, &mine);
                self.stack.insert(*offset, joined);
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

    let mut before: BTreeMap<usize, State> = BTreeMap::from([(0, State::at_start::<I>())]);
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
            before.insert(left, State::unknown::<I>());
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
                let mut values: Values = Some(Rc::new([]));
                for argument in arguments {
                    let value = match argument {
                        Argument::Register(register) => state.register(*register).clone(),
                        Argument::Stack(offset) => state
                            .offset(I::STACK, offset.wrapping_sub(pushed))
                            .and_then(|place| state.place(place)),
                    };
                    values = join(&values, &value);
                }
                sites.insert(at, values);
            }
            match flow {
                Flow::System => {
                    sites.insert(at, state.register(I::NUMBER).clone());
                    state.forget(I::LOST_BY_SYSTEM);
                }
                Flow::Call(_) | Flow::CallIndirect => state.forget(I::LOST_BY_CALL),
                Flow::Next | Flow::Branch(_) | Flow::Jump(_) | Flow::JumpIndirect | Flow::Stop => {}
            }
            if flow == Flow::Next {
                state.apply::<I>(I::effect(instruction));
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
                Some(known) => known.join(&state),
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
    summed(sites.into_values(), visits)
}

fn summed(sites: impl Iterator<Item = Values>, visits: usize) -> Numbers {
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
        for value in values.iter().copied() {
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

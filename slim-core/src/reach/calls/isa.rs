//! What the reach of system calls needs to know of an instruction, whatever the machine.

/// A register, numbered as the machine does.
pub(super) type Register = u8;

/// The number of registers that a set of values holds; more than any machine here has.
pub(super) const REGISTERS: usize = 32;

/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// On to the next.
    Next,
    /// To a function, and back.
    Call(u64),
    /// To a function that is not named here, and back.
    CallIndirect,
    /// Elsewhere.
    Jump(u64),
    /// Elsewhere, to what is not named here.
    JumpIndirect,
    /// Elsewhere or on.
    Branch(u64),
    /// Into the kernel, and back.
    System,
    /// Back, or to an end.
    Stop,
}

/// An address that an instruction mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// It takes the address.
    Taken(u64),
    /// It reads what is there.
    Loaded(u64),
}

/// A value that an instruction computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A number.
    Constant(i64),
    /// What a register holds.
    Register(Register),
    /// What a register holds, and a number.
    Sum(Register, i64),
    /// What memory holds at a register and an offset.
    Memory(Register, i64),
    /// Something else.
    Unknown,
}

/// What an instruction does to registers and the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that is followed.
    None,
    /// It sets a register.
    Set(Register, Source),
    /// It sets the lowest bytes of a register to a number: the register, their count, the number.
    SetLow(Register, u8, i64),
    /// It may set a register.
    MaySet(Register, Source),
    /// It writes to memory at a register and an offset.
    Store(Register, i64, Source),
    /// It pushes onto the stack.
    Push(Source),
    /// It pops a register.
    Pop(Register),
    /// It changes registers in a way that is not followed: a bit for each.
    Forget(u32),
}

/// A machine's instructions.
pub(super) trait Isa {
    /// A decoded instruction.
    type Instruction;
    /// The register of a system call's number.
    const NUMBER: Register;
    /// The stack pointer.
    const STACK: Register;
    /// The bytes that a call pushes.
    const CALL_PUSHES: i64;
    /// The registers that a call may change: a bit for each.
    const LOST_BY_CALL: u32;
    /// The registers that a system call changes: a bit for each.
    const LOST_BY_SYSTEM: u32;

    /// Calls `each` with every instruction of `code`, which begins at `address`, until it returns false.
    fn decode(code: &[u8], address: u64, each: impl FnMut(&Self::Instruction) -> bool);
    /// Returns the address of an instruction.
    fn address(instruction: &Self::Instruction) -> u64;
    /// Returns whether an instruction fills a gap between functions.
    fn is_padding(instruction: &Self::Instruction) -> bool;
    /// Returns where control goes.
    fn flow(instruction: &Self::Instruction) -> Flow;
    /// Calls `each` with the addresses that an instruction mentions; constants count where addresses are `fixed`.
    fn references(instruction: &Self::Instruction, fixed: bool, each: impl FnMut(Reference));
    /// Returns what it does to registers and the stack.
    fn effect(instruction: &Self::Instruction) -> Effect;
}

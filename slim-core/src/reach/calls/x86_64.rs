//! x86-64. Source: Intel's "Software Developer's Manual", volume 2; the psABI's calling sequence (section 3.2).

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, InstructionInfoOptions,
    Mnemonic, OpAccess, OpKind, Register as Iced,
};

use super::isa::{Effect, Flow, Isa, Reference, Register, Source};

/// Instructions of x86-64.
pub(super) struct X86_64;

/// Returns the number of a general register, whatever part of it is meant.
fn number(register: Iced) -> Option<Register> {
    if register.is_gpr() {
        Register::try_from(register.full_register().number()).ok()
    } else {
        None
    }
}

/// Returns the bits of several registers.
const fn bits(registers: &[Register]) -> u32 {
    let mut bits = 0;
    let mut index = 0;
    while index < registers.len() {
        bits |= 1 << registers[index];
        index += 1;
    }
    bits
}

/// Returns the base and the offset of an operand in memory, if it is no more than that.
fn place(instruction: &Instruction) -> Option<(Register, i64)> {
    if instruction.memory_index() != Iced::None
        || instruction.segment_prefix() != Iced::None
        || instruction.is_ip_rel_memory_operand()
    {
        return None;
    }
    let base = number(instruction.memory_base())?;
    Some((base, instruction.memory_displacement64().cast_signed()))
}

/// Returns the value of an operand.
fn source(instruction: &Instruction, operand: u32) -> Source {
    match instruction.op_kind(operand) {
        OpKind::Register => {
            let register = instruction.op_register(operand);
            match number(register) {
                Some(number) if register.size() >= 4 => Source::Register(number),
                _ => Source::Unknown,
            }
        }
        OpKind::Memory if instruction.memory_size().size() >= 4 => {
            place(instruction).map_or(Source::Unknown, |(base, offset)| Source::Memory(base, offset))
        }
        OpKind::Immediate8
        | OpKind::Immediate8to16
        | OpKind::Immediate8to32
        | OpKind::Immediate8to64
        | OpKind::Immediate16
        | OpKind::Immediate32
        | OpKind::Immediate32to64
        | OpKind::Immediate64 => Source::Constant(instruction.immediate(operand).cast_signed()),
        _ => Source::Unknown,
    }
}

/// Returns the bits of the registers that an instruction writes.
fn written(instruction: &Instruction) -> u32 {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
    let mut bits = 0;
    for used in info.used_registers() {
        let writes = matches!(
            used.access(),
            OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite
        );
        if let Some(register) = number(used.register()).filter(|_| writes) {
            bits |= 1 << register;
        }
    }
    bits
}

impl Isa for X86_64 {
    type Instruction = Instruction;
    const NUMBER: Register = 0;
    const STACK: Register = 4;
    const CALL_PUSHES: i64 = 8;
    // rax, rcx, rdx, rsi, rdi, r8 to r11.
    const LOST_BY_CALL: u32 = bits(&[0, 1, 2, 6, 7, 8, 9, 10, 11]);
    // rax, rcx, r11.
    const LOST_BY_SYSTEM: u32 = bits(&[0, 1, 11]);

    fn decode(code: &[u8], address: u64, mut each: impl FnMut(&Instruction) -> bool) {
        let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            if !each(&instruction) {
                return;
            }
        }
    }

    fn address(instruction: &Instruction) -> u64 {
        instruction.ip()
    }

    fn is_padding(instruction: &Instruction) -> bool {
        matches!(
            instruction.mnemonic(),
            Mnemonic::Nop | Mnemonic::Int3 | Mnemonic::INVALID
        ) || (instruction.mnemonic() == Mnemonic::Xchg
            && instruction.op0_register() == instruction.op1_register())
    }

    fn flow(instruction: &Instruction) -> Flow {
        // The decoder counts a system call among the calls.
        if instruction.code() == Code::Syscall {
            return Flow::System;
        }
        match instruction.flow_control() {
            FlowControl::Call => Flow::Call(instruction.near_branch_target()),
            FlowControl::IndirectCall => Flow::CallIndirect,
            FlowControl::UnconditionalBranch => Flow::Jump(instruction.near_branch_target()),
            FlowControl::IndirectBranch => Flow::JumpIndirect,
            FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend => {
                match instruction.near_branch_target() {
                    0 => Flow::Next,
                    target => Flow::Branch(target),
                }
            }
            FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => Flow::Stop,
            FlowControl::Next => Flow::Next,
        }
    }

    fn references(instruction: &Instruction, fixed: bool, mut each: impl FnMut(Reference)) {
        let taken = instruction.mnemonic() == Mnemonic::Lea;
        if instruction.is_ip_rel_memory_operand() {
            let address = instruction.ip_rel_memory_address();
            each(if taken {
                Reference::Taken(address)
            } else {
                Reference::Loaded(address)
            });
            return;
        }
        if !fixed {
            return;
        }
        for operand in 0..instruction.op_count() {
            match instruction.op_kind(operand) {
                OpKind::Memory if instruction.memory_displ_size() >= 4 => {
                    let address = instruction.memory_displacement64();
                    let plain =
                        instruction.memory_base() == Iced::None && instruction.memory_index() == Iced::None;
                    each(if plain && !taken {
                        Reference::Loaded(address)
                    } else {
                        Reference::Taken(address)
                    });
                }
                OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64 => {
                    each(Reference::Taken(instruction.immediate(operand)));
                }
                _ => {}
            }
        }
    }

    fn effect(instruction: &Instruction) -> Effect {
        let destination = (instruction.op_count() > 0 && instruction.op0_kind() == OpKind::Register)
            .then(|| instruction.op0_register());
        let whole = destination
            .filter(|register| register.size() >= 4)
            .and_then(number);
        match instruction.mnemonic() {
            Mnemonic::Mov | Mnemonic::Movsxd | Mnemonic::Movzx | Mnemonic::Movsx => {
                if let Some(to) = whole {
                    let from = match source(instruction, 1) {
                        // A move between halves clears the upper one.
                        Source::Constant(value)
                            if destination.is_some_and(|register| register.size() == 4) =>
                        {
                            Source::Constant(i64::from(value as u32))
                        }
                        other => other,
                    };
                    return Effect::Set(to, from);
                }
                if let Some((register, to)) = destination.and_then(|r| Some((r, number(r)?))) {
                    // ah and its like are not followed.
                    let high = matches!(register, Iced::AH | Iced::BH | Iced::CH | Iced::DH);
                    return match source(instruction, 1) {
                        Source::Constant(value) if !high => {
                            Effect::SetLow(to, u8::try_from(register.size()).unwrap_or(1), value)
                        }
                        _ => Effect::Forget(1 << to),
                    };
                }
                if instruction.op0_kind() == OpKind::Memory
                    && let Some((base, offset)) = place(instruction)
                {
                    return Effect::Store(base, offset, source(instruction, 1));
                }
                Effect::None
            }
            Mnemonic::Xor | Mnemonic::Sub
                if whole.is_some()
                    && instruction.op1_kind() == OpKind::Register
                    && instruction.op1_register() == instruction.op0_register() =>
            {
                whole.map_or(Effect::None, |to| Effect::Set(to, Source::Constant(0)))
            }
            Mnemonic::Lea => match whole {
                Some(to) => Effect::Set(
                    to,
                    place(instruction).map_or(Source::Unknown, |(base, offset)| Source::Sum(base, offset)),
                ),
                None => Effect::Forget(written(instruction)),
            },
            Mnemonic::Add | Mnemonic::Sub if whole.is_some() => match (whole, source(instruction, 1)) {
                (Some(to), Source::Constant(value)) => {
                    let value = if instruction.mnemonic() == Mnemonic::Sub {
                        value.wrapping_neg()
                    } else {
                        value
                    };
                    Effect::Set(to, Source::Sum(to, value))
                }
                (Some(to), _) => Effect::Set(to, Source::Unknown),
                (None, _) => Effect::None,
            },
            Mnemonic::Inc | Mnemonic::Dec if whole.is_some() => {
                let step = if instruction.mnemonic() == Mnemonic::Inc {
                    1
                } else {
                    -1
                };
                whole.map_or(Effect::None, |to| Effect::Set(to, Source::Sum(to, step)))
            }
            Mnemonic::Or
                if instruction.op_count() == 2
                    && source(instruction, 1) == Source::Constant(-1)
                    && whole.is_some() =>
            {
                whole.map_or(Effect::None, |to| Effect::Set(to, Source::Constant(-1)))
            }
            // The stack is aligned down: offsets from its pointer count from the new place.
            Mnemonic::And if whole == Some(Self::STACK) => Effect::None,
            Mnemonic::Push => Effect::Push(source(instruction, 0)),
            Mnemonic::Pop => match whole {
                Some(to) => Effect::Pop(to),
                None => Effect::None,
            },
            Mnemonic::Leave => Effect::Forget(bits(&[5])),
            _ => {
                if is_conditional_move(instruction)
                    && let Some(to) = whole
                {
                    return Effect::MaySet(to, source(instruction, 1));
                }
                match written(instruction) & !(1 << Self::STACK) {
                    0 => Effect::None,
                    bits => Effect::Forget(bits),
                }
            }
        }
    }
}

/// Returns whether an instruction moves under a condition.
fn is_conditional_move(instruction: &Instruction) -> bool {
    use Mnemonic::{
        Cmova, Cmovae, Cmovb, Cmovbe, Cmove, Cmovg, Cmovge, Cmovl, Cmovle, Cmovne, Cmovno, Cmovnp, Cmovns,
        Cmovo, Cmovp, Cmovs,
    };
    matches!(
        instruction.mnemonic(),
        Cmova
            | Cmovae
            | Cmovb
            | Cmovbe
            | Cmove
            | Cmovg
            | Cmovge
            | Cmovl
            | Cmovle
            | Cmovne
            | Cmovno
            | Cmovnp
            | Cmovns
            | Cmovo
            | Cmovp
            | Cmovs
    )
}

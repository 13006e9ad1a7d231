//! The system calls that an ELF file's machine code can make.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = slim_core::reach::calls::numbers_of(data);
});

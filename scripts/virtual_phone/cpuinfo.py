"""A /proc/cpuinfo for the emulated processor: run inside the phone, where getauxval tells what it has."""

import ctypes
import sys

AT_HWCAP, AT_HWCAP2 = 16, 26
CORES = 4
FIRST = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 "
    "sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg"
)
SECOND = (
    "dcpodp sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm svef32mm svef64mm svebf16 i8mm bf16 "
    "dgh rng bti mte ecv afp rpres mte3 sme smei16i64 smef64f64 smei8i32 smef16f32 smeb16f32 smef32f32 smefa64"
)
PARTS = {"cortex-a53": "0xd03", "cortex-a72": "0xd08", "cortex-a76": "0xd0b"}

getauxval = ctypes.CDLL(None).getauxval
getauxval.restype = ctypes.c_ulong
getauxval.argtypes = [ctypes.c_ulong]
features = [
    name
    for which, names in ((AT_HWCAP, FIRST), (AT_HWCAP2, SECOND))
    for bit, name in enumerate(names.split())
    if getauxval(which) >> bit & 1
]
for core in range(CORES):
    print(
        f"processor\t: {core}\nBogoMIPS\t: 38.40\nFeatures\t: {' '.join(features)}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: {PARTS.get(sys.argv[1], '0xd4d')}\nCPU revision\t: 0\n"
    )

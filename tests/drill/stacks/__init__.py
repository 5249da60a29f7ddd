"""The stacks of the drill: one small program each (in this folder), or a real daemon."""

from __future__ import annotations

from drill import agents, launch, tls
from drill.launch import Stack

PKCS = ("rsa", "p256")
INCLUDE = "/usr/include"

PYTHON = [
    Stack("python-cryptography", launch.python("python_cryptography"), modules=("cryptography",)),
    Stack("pycryptodome", launch.python("pycryptodome"), modules=("Crypto",), pypi=("pycryptodome",)),
    Stack("python-rsa-ecdsa", launch.python("python_rsa"), modules=("rsa", "ecdsa"), pypi=("rsa", "ecdsa")),
    Stack("pyjwt", launch.python("pyjwt"), modules=("jwt",), pypi=("pyjwt[crypto]",)),
    Stack("jwcrypto", launch.python("python_jwcrypto"), modules=("jwcrypto",), pypi=("jwcrypto",)),
]

RUNTIMES = [
    Stack("go", launch.go(), tools=("go",), apt=("golang-go",)),
    Stack("go-forgotten", launch.go("forget"), tools=("go",), apt=("golang-go",), has_control=False),
    Stack("java", launch.java(), tools=("javac", "jcmd"), apt=("openjdk-21-jdk-headless",), heap_dump=True),
    Stack(
        "java-forgotten",
        launch.java("forget"),
        tools=("javac", "jcmd"),
        apt=("openjdk-21-jdk-headless",),
        heap_dump=True,
        has_control=False,
    ),
    Stack("node", launch.node("node_crypto"), tools=("node",), apt=("nodejs",)),
    Stack("node-jwk", launch.node("node_crypto", "sign-jwk", "verify-jwk"), tools=("node",), apt=("nodejs",)),
    Stack("node-jose", launch.node("node_jose"), tools=("node",), files=("npm:jose",), npm=("jose@5",)),
    Stack(
        "node-forge",
        launch.node("node_forge"),
        ("rsa",),
        tools=("node",),
        files=("npm:node-forge",),
        npm=("node-forge@1",),
    ),
]

OPENSSL = {"tools": ("cc",), "files": (f"{INCLUDE}/openssl/evp.h",), "apt": ("gcc", "libssl-dev")}
NATIVE = [
    Stack("openssl", launch.native("openssl.c", "-lcrypto"), **OPENSSL),
    Stack(
        "openssl-secure-heap",
        launch.native("openssl.c", "-lcrypto", sign="secure"),
        **OPENSSL,
        has_control=False,
    ),
    Stack(
        "openssl-freed", launch.native("openssl.c", "-lcrypto", sign="forget"), **OPENSSL, has_control=False
    ),
    Stack(
        "gnutls",
        launch.native("gnutls.c", "-lgnutls"),
        tools=("cc",),
        files=(f"{INCLUDE}/gnutls/gnutls.h",),
        apt=("gcc", "libgnutls28-dev"),
    ),
    Stack(
        "libgcrypt",
        launch.native("libgcrypt.c", "-lgcrypt", "-lgpg-error"),
        tools=("cc",),
        files=(f"{INCLUDE}/gcrypt.h",),
        apt=("gcc", "libgcrypt20-dev"),
    ),
    Stack(
        "mbedtls",
        launch.native("mbedtls.c", "-lmbedcrypto"),
        PKCS,
        tools=("cc",),
        files=(f"{INCLUDE}/mbedtls/pk.h",),
        apt=("gcc", "libmbedtls-dev"),
    ),
    Stack(
        "botan",
        launch.native("botan.cpp", f"-I{INCLUDE}/botan-3", "-lbotan-3"),
        tools=("c++",),
        files=(f"{INCLUDE}/botan-3/botan/pkcs8.h",),
        apt=("g++", "libbotan-3-dev"),
    ),
]

SSH = {
    "tools": ("ssh", "sshd", "ssh-keyscan"),
    "apt": ("openssh-client", "openssh-server"),
    "has_control": False,
}
DAEMONS = [
    Stack("nginx", tls.nginx, tools=("nginx",), apt=("nginx",)),
    Stack("gpg-agent", agents.gpg_agent, tools=("gpg-agent",), apt=("gpg-agent",), refuses_core=True),
    Stack(
        "ssh-agent",
        agents.ssh_agent,
        tools=("ssh-agent", "ssh-add", "ssh-keygen"),
        apt=("openssh-client",),
        refuses_core=True,
    ),
    Stack("sshd", agents.sshd_listener, **SSH),
    Stack("sshd-session", agents.sshd_session, **SSH, refuses_core=True),
]

STACKS: list[Stack] = [*PYTHON, *RUNTIMES, *NATIVE, *DAEMONS]
#: What ``make test`` runs: quick to start, and nothing to compile that takes long.
FAST: list[Stack] = [
    stack for stack in STACKS if stack.name in ("python-cryptography", "openssl", "nginx", "ssh-agent")
]

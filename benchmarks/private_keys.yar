/* What a responder would write against private keys: the text forms, and the beginnings of the binary ones. */

rule pem_private_key
{
    strings:
        $pkcs8 = "-----BEGIN PRIVATE KEY-----"
        $pkcs1 = "-----BEGIN RSA PRIVATE KEY-----"
        $sec1 = "-----BEGIN EC PRIVATE KEY-----"
        $openssh = "-----BEGIN OPENSSH PRIVATE KEY-----"
        $wide = "-----BEGIN PRIVATE KEY-----" wide
    condition:
        any of them
}

rule der_private_key
{
    strings:
        $pkcs1 = { 30 82 ?? ?? 02 01 00 02 82 ?? ?? 00 }
        $pkcs8_rsa = { 30 82 ?? ?? 02 01 00 30 0D 06 09 2A 86 48 86 F7 0D 01 01 01 05 00 04 82 }
        $pkcs8_ec = { 30 81 ?? 02 01 00 30 13 06 07 2A 86 48 CE 3D 02 01 06 08 2A 86 48 CE 3D 03 01 07 }
        $sec1 = { 30 77 02 01 01 04 20 }
        $sec1_inside = { 30 6B 02 01 01 04 20 }
        $pkcs8_ed25519 = { 30 2E 02 01 00 30 05 06 03 2B 65 70 04 22 04 20 }
    condition:
        any of them
}

rule jwk_private_key
{
    strings:
        $d = /"d"[ ]?:[ ]?"[A-Za-z0-9_-]{43,700}"/
        $kty = "\"kty\""
    condition:
        all of them
}

// Go's standard library: "signer sign|verify|forget DIRECTORY KIND...".
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
)

const rounds = 200

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func read(directory, name string) []byte {
	data, err := os.ReadFile(filepath.Join(directory, name))
	check(err)
	return data
}

func block(directory, name string) []byte {
	found, _ := pem.Decode(read(directory, name))
	if found == nil {
		panic("no PEM in " + name)
	}
	return found.Bytes
}

func sign(directory, kind string) any {
	key, err := x509.ParsePKCS8PrivateKey(block(directory, kind+".pem"))
	check(err)
	for number := range rounds {
		message := fmt.Appendf(nil, "token %d for user%d@example.com", number, number)
		digest := sha256.Sum256(message)
		switch private := key.(type) {
		case *rsa.PrivateKey:
			_, err = rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, digest[:])
		case *ecdsa.PrivateKey:
			_, err = ecdsa.SignASN1(rand.Reader, private, digest[:])
		case ed25519.PrivateKey:
			ed25519.Sign(private, message)
		}
		check(err)
	}
	return key
}

func verify(directory, kind string) any {
	key, err := x509.ParsePKIXPublicKey(block(directory, kind+".pub.pem"))
	check(err)
	message, signature := read(directory, kind+".message"), read(directory, kind+".sig")
	digest := sha256.Sum256(message)
	for range rounds {
		valid := true
		switch public := key.(type) {
		case *rsa.PublicKey:
			valid = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
		case *ecdsa.PublicKey:
			valid = ecdsa.VerifyASN1(public, digest[:], signature)
		case ed25519.PublicKey:
			valid = ed25519.Verify(public, message, signature)
		}
		if !valid {
			panic("bad signature")
		}
	}
	return key
}

func main() {
	mode, directory, alive := os.Args[1], os.Args[2], []any{}
	for _, kind := range os.Args[3:] {
		if mode == "verify" {
			alive = append(alive, verify(directory, kind))
		} else {
			alive = append(alive, sign(directory, kind))
		}
	}
	if mode == "forget" {
		alive = nil
		runtime.GC()
		debug.FreeOSMemory()
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(alive)
}

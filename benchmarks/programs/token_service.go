// A token service with ordinary data in its heap: "token_service DIRECTORY MEGABYTES KIND...". Seeded data.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	crand "crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

type session struct {
	ID     string            `json:"id"`
	User   string            `json:"user"`
	Seen   float64           `json:"seen"`
	Claims map[string]string `json:"claims"`
	Counts []int64           `json:"counts"`
	Sealed []byte            `json:"-"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func load(directory, kind string) any {
	text, err := os.ReadFile(filepath.Join(directory, kind+".pem"))
	check(err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	check(err)
	return key
}

func sign(key any, number int) string {
	text := fmt.Appendf(nil, `{"sub":"user%d@example.com","iat":%d}`, number, 1700000000+number)
	digest := sha256.Sum256(text)
	var signature []byte
	var err error
	switch private := key.(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(crand.Reader, private, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		signature, err = ecdsa.SignASN1(crand.Reader, private, digest[:])
	case ed25519.PrivateKey:
		signature = ed25519.Sign(private, text)
	}
	check(err)
	return base64.RawURLEncoding.EncodeToString(text) + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func newSession(random *rand.Rand, number int) *session {
	made := &session{
		ID:     fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()),
		User:   fmt.Sprintf("user%d@example.com", number),
		Seen:   1700000000 + random.Float64()*86400,
		Claims: map[string]string{},
		Counts: make([]int64, random.Intn(40)),
		Sealed: make([]byte, random.Intn(400)),
	}
	for claim := range 4 {
		made.Claims["claim"+strconv.Itoa(claim)] = fmt.Sprintf("value %d of user %d", random.Intn(100000), number)
	}
	for index := range made.Counts {
		made.Counts[index] = random.Int63n(1000)
	}
	random.Read(made.Sealed)
	return made
}

func main() {
	directory := os.Args[1]
	megabytes, err := strconv.Atoi(os.Args[2])
	check(err)
	random := rand.New(rand.NewSource(20))
	sessions, documents, tokens := map[string]*session{}, [][]byte{}, []string{}
	for number := range megabytes * 500 {
		made := newSession(random, number)
		sessions[made.ID] = made
		if number%20 == 0 {
			text, err := json.Marshal(made)
			check(err)
			var packed bytes.Buffer
			writer := gzip.NewWriter(&packed)
			writer.Write(bytes.Repeat(text, 3))
			check(writer.Close())
			documents = append(documents, text, packed.Bytes())
		}
	}
	keys := []any{}
	for _, kind := range os.Args[3:] {
		keys = append(keys, load(directory, kind))
		for number := range 3000 {
			tokens = append(tokens, sign(keys[len(keys)-1], number))
		}
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(sessions)
	runtime.KeepAlive(documents)
	runtime.KeepAlive(tokens)
	runtime.KeepAlive(keys)
}

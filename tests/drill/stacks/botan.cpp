// Botan 3: "botan sign|verify DIRECTORY KIND...".
#include <botan/auto_rng.h>
#include <botan/data_src.h>
#include <botan/pkcs8.h>
#include <botan/pubkey.h>
#include <botan/x509_key.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

static std::vector<uint8_t> slurp(const std::string &path) {
    std::ifstream source(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(source), {}};
}

int main(int count, char **arguments) {
    const std::string mode = arguments[1], directory = std::string(arguments[2]) + "/";
    Botan::AutoSeeded_RNG random;
    std::vector<std::unique_ptr<Botan::Private_Key>> secret;
    std::vector<std::unique_ptr<Botan::Public_Key>> known;
    std::vector<std::unique_ptr<Botan::PK_Signer>> signers;
    for (int index = 3; index < count; index++) {
        const std::string kind = arguments[index];
        const std::string scheme = kind == "rsa" ? "PKCS1v15(SHA-256)" : kind == "p256" ? "SHA-256" : "Pure";
        const auto form = kind == "p256" ? Botan::Signature_Format::DerSequence : Botan::Signature_Format::Standard;
        if (mode == "verify") {
            known.push_back(Botan::X509::load_key(directory + kind + ".pub.pem"));
            Botan::PK_Verifier verifier(*known.back(), scheme, form);
            for (int number = 0; number < 200; number++) {
                if (!verifier.verify_message(slurp(directory + kind + ".message"), slurp(directory + kind + ".sig"))) {
                    return 1;
                }
            }
            continue;
        }
        Botan::DataSource_Stream source(directory + kind + ".pem");
        secret.push_back(Botan::PKCS8::load_key(source));
        signers.push_back(std::make_unique<Botan::PK_Signer>(*secret.back(), random, scheme, form));
        for (int number = 0; number < 200; number++) {
            const std::string text = "token " + std::to_string(number);
            signers.back()->sign_message(reinterpret_cast<const uint8_t *>(text.data()), text.size(), random);
        }
    }
    std::cout << "ready" << std::endl;
    char last;
    return static_cast<int>(read(0, &last, 1));
}

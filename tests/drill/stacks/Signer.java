import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** The JDK's own providers: "Signer sign|verify|forget DIRECTORY KIND...". */
public class Signer {
    static final int ROUNDS = 200;

    static byte[] body(Path path) throws Exception {
        String text = Files.readString(path);
        return Base64.getMimeDecoder().decode(text.replaceAll("-----[A-Z ]+-----", ""));
    }

    static KeyFactory factory(String kind) throws Exception {
        return KeyFactory.getInstance(kind.equals("rsa") ? "RSA" : kind.equals("p256") ? "EC" : "Ed25519");
    }

    static Signature signature(String kind) throws Exception {
        String name = kind.equals("rsa") ? "SHA256withRSA" : kind.equals("p256") ? "SHA256withECDSA" : "Ed25519";
        return Signature.getInstance(name);
    }

    static Key sign(String kind, Path directory) throws Exception {
        PrivateKey key = factory(kind).generatePrivate(new PKCS8EncodedKeySpec(body(directory.resolve(kind + ".pem"))));
        for (int number = 0; number < ROUNDS; number++) {
            Signature signer = signature(kind);
            signer.initSign(key);
            signer.update(("token " + number + " for user" + number + "@example.com").getBytes());
            signer.sign();
        }
        return key;
    }

    static Key verify(String kind, Path directory) throws Exception {
        PublicKey key = factory(kind).generatePublic(new X509EncodedKeySpec(body(directory.resolve(kind + ".pub.pem"))));
        byte[] message = Files.readAllBytes(directory.resolve(kind + ".message"));
        byte[] signed = Files.readAllBytes(directory.resolve(kind + ".sig"));
        for (int number = 0; number < ROUNDS; number++) {
            Signature verifier = signature(kind);
            verifier.initVerify(key);
            verifier.update(message);
            if (!verifier.verify(signed)) {
                throw new IllegalStateException("bad signature");
            }
        }
        return key;
    }

    public static void main(String[] arguments) throws Exception {
        List<Key> alive = new ArrayList<>();
        Path directory = Path.of(arguments[1]);
        for (int index = 2; index < arguments.length; index++) {
            boolean only = arguments[0].equals("verify");
            alive.add(only ? verify(arguments[index], directory) : sign(arguments[index], directory));
        }
        if (arguments[0].equals("forget")) {
            alive.clear();
            System.gc();
            System.gc();
        }
        System.out.println("ready");
        System.in.read();
        System.err.println(alive.size());
    }
}

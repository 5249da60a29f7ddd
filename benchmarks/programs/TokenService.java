import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A token service with ordinary objects in its heap: "TokenService DIRECTORY MEGABYTES KIND...". Seeded data. */
public class TokenService {
    record Session(String id, String user, long seen, double weight, Map<String, String> claims, byte[] sealed) {}

    static PrivateKey load(Path directory, String kind) throws Exception {
        String text = Files.readString(directory.resolve(kind + ".pem")).replaceAll("-----[A-Z ]+-----", "");
        String name = kind.equals("rsa") ? "RSA" : kind.equals("p256") ? "EC" : "Ed25519";
        return KeyFactory.getInstance(name).generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(text)));
    }

    static String sign(PrivateKey key, String kind, int number) throws Exception {
        String name = kind.equals("rsa") ? "SHA256withRSA" : kind.equals("p256") ? "SHA256withECDSA" : "Ed25519";
        String text = "{\"sub\":\"user" + number + "@example.com\",\"iat\":" + (1700000000L + number) + "}";
        Signature signer = Signature.getInstance(name);
        signer.initSign(key);
        signer.update(text.getBytes());
        Base64.Encoder encoder = Base64.getUrlEncoder().withoutPadding();
        return encoder.encodeToString(text.getBytes()) + "." + encoder.encodeToString(signer.sign());
    }

    static Session session(Random random, int number) {
        byte[] sealed = new byte[random.nextInt(200, 1200)];
        random.nextBytes(sealed);
        Map<String, String> claims = new HashMap<>();
        for (int claim = 0; claim < 5; claim++) {
            claims.put("claim" + claim, "value " + random.nextInt(100000) + " of user " + number);
        }
        String id = Long.toHexString(random.nextLong()) + Long.toHexString(random.nextLong());
        return new Session(id, "user" + number + "@example.com", 1700000000000L + number, random.nextDouble(), claims, sealed);
    }

    public static void main(String[] arguments) throws Exception {
        Random random = new Random(20);
        Map<String, Session> sessions = new HashMap<>();
        List<Object> cache = new ArrayList<>();
        int megabytes = Integer.parseInt(arguments[1]);
        for (int number = 0; number < megabytes * 450; number++) {
            Session made = session(random, number);
            sessions.put(made.id(), made);
            if (number % 40 == 0) {
                long[] counts = new long[400];
                java.util.Arrays.setAll(counts, index -> random.nextInt(1000));
                cache.add(counts);
                cache.add(made.toString().repeat(4));
            }
        }
        Map<String, PrivateKey> keys = new HashMap<>();
        for (int index = 2; index < arguments.length; index++) {
            String kind = arguments[index];
            keys.put(kind, load(Path.of(arguments[0]), kind));
            for (int number = 0; number < 2000; number++) {
                String token = sign(keys.get(kind), kind, number);
                if (number % 4 == 0) {
                    cache.add(token);
                }
            }
        }
        System.out.println("ready");
        System.in.read();
        System.err.println(sessions.size() + cache.size() + keys.size());
    }
}

import java.io.ByteArrayInputStream;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * Writes key stores with Bouncy Castle. Arguments: how many keys; for each the files of its PKCS#8 and of its
 * certificate; for each store its kind, password and file.
 */
public class BouncyStores {
    public static void main(String[] words) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        int stores = 1 + 2 * Integer.parseInt(words[0]);
        for (int at = stores; at < words.length; at += 3) {
            char[] password = words[at + 1].toCharArray();
            KeyStore store = KeyStore.getInstance(words[at], "BC");
            store.load(null, null);
            for (int number = 1; number < stores; number += 2) {
                byte[] key = Files.readAllBytes(Path.of(words[number]));
                PrivateKey known = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(key));
                ByteArrayInputStream certificate =
                        new ByteArrayInputStream(Files.readAllBytes(Path.of(words[number + 1])));
                Certificate[] chain = {CertificateFactory.getInstance("X.509").generateCertificate(certificate)};
                store.setKeyEntry("key" + number, known, password, chain);
            }
            try (FileOutputStream out = new FileOutputStream(words[at + 2])) {
                store.store(out, password);
            }
        }
    }
}

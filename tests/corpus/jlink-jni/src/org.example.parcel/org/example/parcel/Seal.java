package org.example.parcel;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.Key;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.List;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;

/** Keys and seals. */
public final class Seal {
    private Seal() {}

    public static char[] secret() {
        return System.getenv().getOrDefault("PARCEL_SECRET", "change-it").toCharArray();
    }

    public static KeyStore keys() throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(Store.folder().resolve("keys.p12"))) {
            keys.load(in, secret());
        }
        return keys;
    }

    private static KeyPair pair() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp384r1"));
        return generator.generateKeyPair();
    }

    private static Document parse(byte[] xml) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        return factory.newDocumentBuilder().parse(new ByteArrayInputStream(xml));
    }

    /** Adds an enveloped signature to a document. */
    public static byte[] sign(byte[] xml, boolean own) throws Exception {
        Key key;
        PublicKey open;
        if (own) {
            KeyStore keys = keys();
            key = keys.getKey("desk", secret());
            open = keys.getCertificate("desk").getPublicKey();
        } else {
            KeyPair pair = pair();
            key = pair.getPrivate();
            open = pair.getPublic();
        }
        XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
        var reference = factory.newReference("", factory.newDigestMethod(DigestMethod.SHA512, null),
            List.of(factory.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null)), null, null);
        var info = factory.newSignedInfo(
            factory.newCanonicalizationMethod(CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) null),
            factory.newSignatureMethod("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", null), List.of(reference));
        var values = factory.getKeyInfoFactory();
        var keyInfo = values.newKeyInfo(List.of(values.newKeyValue(open)));
        Document document = parse(xml);
        factory.newXMLSignature(info, keyInfo).sign(new DOMSignContext(key, document.getDocumentElement()));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(out));
        return out.toByteArray();
    }

    /** Returns whether the signature inside fits to the document and to the key it names. */
    public static boolean verify(byte[] xml) throws Exception {
        Document document = parse(xml);
        var nodes = document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature");
        if (nodes.getLength() == 0) {
            throw new IllegalArgumentException("no signature");
        }
        var value = (org.w3c.dom.Element) nodes.item(0);
        XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
        KeyStore keys = Files.exists(Store.folder().resolve("keys.p12")) ? keys() : null;
        XMLSignature signature = factory.unmarshalXMLSignature(new DOMValidateContext(new Selector(keys), value));
        return signature.validate(new DOMValidateContext(new Selector(keys), value));
    }

    private static final class Selector extends javax.xml.crypto.KeySelector {
        private final KeyStore keys;

        private Selector(KeyStore keys) {
            this.keys = keys;
        }

        @Override
        public javax.xml.crypto.KeySelectorResult select(javax.xml.crypto.dsig.keyinfo.KeyInfo info, Purpose purpose,
            javax.xml.crypto.AlgorithmMethod method, javax.xml.crypto.XMLCryptoContext context)
            throws javax.xml.crypto.KeySelectorException {
            try {
                for (Object content : info.getContent()) {
                    if (content instanceof javax.xml.crypto.dsig.keyinfo.KeyValue value) {
                        PublicKey key = value.getPublicKey();
                        return () -> key;
                    }
                }
                PublicKey own = keys.getCertificate("desk").getPublicKey();
                return () -> own;
            } catch (Exception error) {
                throw new javax.xml.crypto.KeySelectorException(error);
            }
        }
    }

    /** What the providers can do: agreements, signatures, ciphers. */
    public static String survey(String text) throws Exception {
        StringBuilder out = new StringBuilder();
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        for (String[] kind : new String[][] {{"EC", "SHA384withECDSA"}, {"Ed448", "Ed448"}, {"RSA", "RSASSA-PSS"}, {"DSA", "SHA256withDSA"}}) {
            KeyPair pair = KeyPairGenerator.getInstance(kind[0]).generateKeyPair();
            Signature signer = Signature.getInstance(kind[1]);
            if (kind[1].equals("RSASSA-PSS")) {
                signer.setParameter(new java.security.spec.PSSParameterSpec("SHA-256", "MGF1", java.security.spec.MGF1ParameterSpec.SHA256, 32, 1));
            }
            signer.initSign(pair.getPrivate());
            signer.update(bytes);
            byte[] signature = signer.sign();
            signer.initVerify(pair.getPublic());
            signer.update(bytes);
            out.append(kind[1]).append(' ').append(signer.verify(signature)).append(' ').append(signer.getProvider().getName()).append('\n');
        }
        KeyPairGenerator generator = KeyPairGenerator.getInstance("X25519");
        KeyPair one = generator.generateKeyPair();
        KeyPair other = generator.generateKeyPair();
        KeyAgreement agreement = KeyAgreement.getInstance("XDH");
        agreement.init(one.getPrivate());
        agreement.doPhase(other.getPublic(), true);
        out.append("X25519 ").append(agreement.generateSecret().length).append('\n');
        byte[] raw = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA512")
            .generateSecret(new PBEKeySpec("parcel".toCharArray(), bytes, 1000, 256)).getEncoded();
        Cipher gcm = Cipher.getInstance("AES/GCM/NoPadding");
        gcm.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(raw, "AES"), new GCMParameterSpec(128, new byte[12]));
        out.append("AES-GCM ").append(java.util.HexFormat.of().formatHex(gcm.doFinal(bytes))).append('\n');
        Cipher chacha = Cipher.getInstance("ChaCha20-Poly1305");
        chacha.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(raw, "ChaCha20"), new javax.crypto.spec.IvParameterSpec(new byte[12]));
        out.append("ChaCha20 ").append(java.util.HexFormat.of().formatHex(chacha.doFinal(bytes))).append('\n');
        out.append("SHA3 ").append(java.util.HexFormat.of().formatHex(java.security.MessageDigest.getInstance("SHA3-256").digest(bytes))).append('\n');
        return out.toString();
    }
}

package org.example.parcel.task;

import java.util.List;
import java.util.Locale;
import org.example.parcel.Exporters;
import org.example.parcel.Seal;
import org.example.parcel.Store;

/** Seals the declaration with a new key, and checks the seal. */
public final class SealTask implements Task {
    @Override
    public int run(List<String> arguments) throws Exception {
        try (Store store = new Store()) {
            byte[] xml = Exporters.of("xml").export(store.labels(), Locale.ROOT, "UTF-8");
            byte[] signed = Seal.sign(xml, false);
            System.out.println("sealed " + Seal.verify(signed));
            String changed = new String(signed, "UTF-8").replace("1250", "1");
            System.out.println("changed " + Seal.verify(changed.getBytes("UTF-8")));
        }
        System.out.print(Seal.survey(arguments.isEmpty() ? "parcel" : arguments.get(0)));
        return 0;
    }
}

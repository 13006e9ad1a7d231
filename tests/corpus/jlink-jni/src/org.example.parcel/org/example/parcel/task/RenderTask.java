package org.example.parcel.task;

import java.util.List;
import org.example.parcel.Picture;
import org.example.parcel.Store;
import org.example.parcel.api.Label;

/** A label as a file on standard output. */
public final class RenderTask implements Task {
    @Override
    public int run(List<String> arguments) throws Exception {
        try (Store store = new Store()) {
            Label label = store.label(Integer.parseInt(arguments.get(0)));
            String form = arguments.size() > 1 ? arguments.get(1) : "png";
            System.out.write(form.equals("ps") ? Picture.page(label) : Picture.image(label, form, null));
            System.out.flush();
        } catch (IllegalArgumentException error) {
            System.out.println("refused: " + error.getMessage());
            return 1;
        }
        return 0;
    }
}

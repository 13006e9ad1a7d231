package org.example.parcel.task;

import java.util.List;
import java.util.logging.Logger;
import org.example.parcel.web.Desk;
import sun.misc.Signal;

/** The service. */
public final class ServeTask implements Task {
    @Override
    public int run(List<String> arguments) throws Exception {
        Desk desk = new Desk();
        desk.start();
        Signal.handle(new Signal("HUP"), signal -> {
            try {
                desk.reload();
            } catch (Exception error) {
                Logger.getLogger("parcel").warning("not loaded again: " + error);
            }
        });
        return -1;
    }
}

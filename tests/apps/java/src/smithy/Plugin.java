package smithy;

import java.util.List;

/** Writes wares in one form. */
public interface Plugin {
    String dump(List<String> wares);
}

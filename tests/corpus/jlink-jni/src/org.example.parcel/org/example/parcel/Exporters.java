package org.example.parcel;

import java.lang.module.Configuration;
import java.lang.module.ModuleFinder;
import java.nio.file.Path;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.example.parcel.api.Exporter;

/** Exporters of the first layer, and of plug-ins in a layer that is made when a form is missing. */
public final class Exporters {
    private static ModuleLayer plugins;

    private Exporters() {}

    public static synchronized Exporter of(String form) {
        Optional<Exporter> found = find(ServiceLoader.load(Exporter.class), form);
        if (found.isEmpty()) {
            found = find(ServiceLoader.load(layer(), Exporter.class), form);
        }
        return found.orElseThrow(() -> new IllegalArgumentException("form " + form));
    }

    private static Optional<Exporter> find(ServiceLoader<Exporter> loader, String form) {
        return loader.stream().map(ServiceLoader.Provider::get).filter(exporter -> exporter.form().equals(form)).findFirst();
    }

    private static ModuleLayer layer() {
        if (plugins == null) {
            ModuleFinder finder = ModuleFinder.of(Path.of(System.getProperty("parcel.plugins", "plugins")));
            Set<String> names = finder.findAll().stream().map(module -> module.descriptor().name()).collect(Collectors.toSet());
            ModuleLayer boot = ModuleLayer.boot();
            Configuration configuration = boot.configuration().resolveAndBind(finder, ModuleFinder.of(), names);
            plugins = boot.defineModulesWithOneLoader(configuration, Exporters.class.getClassLoader());
        }
        return plugins;
    }

    /** Forgets the plug-ins, so that they are loaded again. */
    public static synchronized void reset() {
        plugins = null;
    }

    /** The names of the loaded modules of the application. */
    public static synchronized String modules() {
        Stream<Module> all = ModuleLayer.boot().modules().stream();
        if (plugins != null) {
            all = Stream.concat(all, plugins.modules().stream());
        }
        return all.map(Module::getName).filter(name -> !name.startsWith("java.") && !name.startsWith("jdk.")).sorted().collect(Collectors.joining("\n", "", "\n"));
    }
}

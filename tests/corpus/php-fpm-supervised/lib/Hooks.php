<?php
namespace Site;

final class Hooks
{
    private static array $hooks = [];

    public static function add(string $name, callable $hook): void
    {
        self::$hooks[$name][] = $hook;
    }

    public static function run(string $name, mixed $value, mixed ...$more): mixed
    {
        foreach (self::$hooks[$name] ?? [] as $hook) {
            $value = $hook($value, ...$more);
        }
        return $value;
    }
}

<?php
namespace Shop;

final class Kernel
{
    public function __construct(private array $routes)
    {
    }

    public function handle(string $method, string $path): void
    {
        foreach ($this->routes as [$verb, $pattern, $name]) {
            if ($verb === $method && preg_match("#^$pattern$#", $path, $found)) {
                $class = __NAMESPACE__ . '\\Page\\' . ucfirst($name);
                try {
                    (new $class())(...array_slice($found, 1));
                } catch (\Throwable $error) {
                    http_response_code(500);
                    (new View())->show('error', ['message' => get_class($error) . ': ' . $error->getMessage()]);
                }
                return;
            }
        }
        http_response_code(404);
        (new View())->show('missing', ['path' => $path]);
    }
}

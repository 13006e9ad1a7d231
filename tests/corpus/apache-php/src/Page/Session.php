<?php
namespace Shop\Page;

final class Session
{
    public function __invoke(string ...$arguments): void
    {
        session_start();
        $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
        echo $_SESSION['n'], ' ', date_default_timezone_get(), ' ', (new \DateTime('2024-07-01 12:00', new \DateTimeZone('America/Lima')))->setTimezone(new \DateTimeZone('Pacific/Auckland'))->format('c'), ' ', password_verify('x', password_hash('x', PASSWORD_ARGON2ID)) ? 'ok' : 'no';
    }
}

<?php
require __DIR__ . '/../lib/load.php';

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$site = new Site\Store();
$view = new Twig\Environment(new Twig\Loader\FilesystemLoader(__DIR__ . '/../lib/templates'), ['cache' => sys_get_temp_dir() . '/twig']);
$json = function (mixed $value, int $status = 200): void {
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode($value, JSON_UNESCAPED_UNICODE);
};

try {
    switch (true) {
        case $path === '/':
            echo $view->render('home.html.twig', ['title' => 'Pages']);
            break;
        case preg_match('#^/page/(\w+)$#', $path, $found) === 1:
            if ($_SERVER['REQUEST_METHOD'] === 'PUT') {
                $site->save($found[1], file_get_contents('php://input'));
                $json(['saved' => $found[1]], 201);
                break;
            }
            $text = $site->page($found[1]);
            http_response_code($text === null ? 404 : 200);
            echo $view->render($text === null ? 'missing.html.twig' : 'page.html.twig', ['name' => $found[1], 'text' => Site\Hooks::run('text', $text ?? '')]);
            break;
        case $path === '/search':
            $json($site->search($_GET['q'] ?? ''));
            break;
        case $path === '/upload':
            $json(Site\Hooks::run('upload', $_FILES['file']));
            break;
        case $path === '/format':
            $locale = $_GET['locale'] ?? 'en';
            $json([
                (new NumberFormatter($locale, NumberFormatter::SPELLOUT))->format(1234),
                (new IntlDateFormatter($locale, IntlDateFormatter::FULL, IntlDateFormatter::SHORT, 'Pacific/Chatham'))->format(0),
                MessageFormatter::formatMessage($locale, '{0,plural,one{# page} other{# pages}}', [2]),
                mb_convert_encoding('日本', 'SJIS', 'UTF-8') === iconv('UTF-8', 'SJIS', '日本'),
            ]);
            break;
        case preg_match('#^/job/(\w+)$#', $path, $found) === 1:
            if ($_SERVER['REQUEST_METHOD'] === 'POST') {
                $id = $site->queue($found[1]);
                for ($i = 0; $i < 100 && ($done = $site->job($id)) === null; $i++) {
                    usleep(100000);
                }
                $json($done);
                break;
            }
            // no break
        case $path === '/feed':
            if ($path === '/feed') {
                $feed = new XMLWriter();
                $feed->openMemory();
                $feed->startDocument();
                $feed->writeElement('feed', 'Grüße');
                header('Content-Type: application/xml');
                echo $feed->outputMemory();
                break;
            }
            // no break
        default:
            http_response_code(404);
            echo $view->render('missing.html.twig', ['name' => $path]);
    }
} catch (Throwable $error) {
    $log = new Monolog\Logger('site', [new Monolog\Handler\StreamHandler('php://stderr')]);
    $log->error($error->getMessage());
    http_response_code(500);
    echo $view->render('error.html.twig', ['message' => $error->getMessage()]);
}

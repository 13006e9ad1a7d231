<?php
return [
    ['GET', '/', 'home'],
    ['GET', '/price/([a-z_A-Z]+)', 'price'],
    ['GET', '/picture/(png|jpeg|gif|webp)', 'picture'],
    ['POST', '/order', 'order'],
    ['GET', '/orders', 'orders'],
    ['POST', '/upload', 'upload'],
    ['GET', '/feed', 'feed'],
    ['GET', '/zip', 'zip'],
    ['GET', '/session', 'session'],
    ['GET', '/broken', 'broken'],
    ['GET', '/info', 'info'],
];

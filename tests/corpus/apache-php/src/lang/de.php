<?php return ["thanks" => "Danke"];

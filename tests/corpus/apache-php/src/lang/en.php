<?php return ["thanks" => "Thank you"];

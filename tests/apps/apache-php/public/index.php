<?php echo "The smithy sells anvils.\n";
